import type { ParameterDefinition } from '#libs/contracts';
import type { JsonValue } from '#libs/kernel';

export interface ParameterDefinitionInput {
  readonly name: string;
  readonly type: ParameterDefinition['type'];
  readonly title?: string | null;
  readonly multiple: boolean;
  readonly required: boolean;
  readonly default?: JsonValue;
  readonly options?: readonly { readonly value: JsonValue; readonly title?: string | null }[] | null;
  readonly optionsQueryId?: string | null;
  readonly minimum?: JsonValue;
  readonly maximum?: JsonValue;
}

/** As services have it, where what is null is absent. */
export function toParameterDefinition(input: ParameterDefinitionInput): ParameterDefinition {
  const { name, type, multiple, required, options } = input;
  return {
    ...{ name, type, multiple, required },
    title: input.title ?? undefined,
    default: input.default ?? undefined,
    options: options
      ? { values: options.map(({ value, title }) => ({ value, title: title ?? undefined })) }
      : undefined,
    optionsQueryId: input.optionsQueryId ?? undefined,
    minimum: input.minimum ?? undefined,
    maximum: input.maximum ?? undefined,
  };
}
