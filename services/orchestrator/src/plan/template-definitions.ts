import type { ParameterDefinition } from '#libs/contracts';
import type { ParameterDefinition as TemplateDefinition } from '#libs/sql';

/** Definitions as templates take them; titles are for people alone. */
export function toTemplateDefinitions(definitions: readonly ParameterDefinition[]): TemplateDefinition[] {
  return definitions.map(({ options, ...definition }) => ({
    ...definition,
    options: options?.values.map(({ value = null }) => ({ value })),
  }));
}
