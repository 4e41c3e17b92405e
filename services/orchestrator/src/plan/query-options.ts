import { AppError, type JsonValue } from '#libs/kernel';
import type { ParameterDefinition } from '#libs/sql';
import type { PlanPlaces } from './query-plan.js';

interface OptionsSubject {
  readonly definitions: readonly ParameterDefinition[];
  readonly places: PlanPlaces;
}

/**
 * What the options queries answer now, by parameter. The gateway asks them, as the caller and with the caller's rights, once
 * it is told which.
 * @throws AppError `parameter.options_needed`, with the queries by parameter, where it has not yet
 */
export function queryOptionsOf(
  { definitions, places }: OptionsSubject,
  answers: readonly { readonly name: string; readonly values: readonly JsonValue[] }[],
): ReadonlyMap<string, readonly JsonValue[]> {
  const queries: Record<string, string> = {};
  for (const { name, optionsQueryId } of definitions) if (optionsQueryId) queries[name] = optionsQueryId;
  if (Object.keys(queries).length > 0 && answers.length === 0) {
    throw new AppError('parameter.options_needed', 'The options of its parameters are needed.', {
      path: places.parameters,
      details: queries,
    });
  }
  return new Map(answers.map(({ name, values }) => [name, values]));
}
