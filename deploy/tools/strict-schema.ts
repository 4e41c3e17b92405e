/** Any JSON Schema, as far as it is looked into here. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/**
 * A schema of Kubernetes in the form that a validator of JSON Schema takes, and with every unknown field refused: the server
 * drops a misspelt field without a word, so a probe that is misspelt is no probe.
 */
export function strictSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { description: _description, example: _example, ...kept } = schema as Record<string, unknown>;
  if (isIntOrString(kept)) return { type: ['integer', 'string'] };
  const strict: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(kept)) {
    if (keyword.startsWith('x-kubernetes-') || keyword === 'default' || keyword === 'format') continue;
    strict[keyword] = keyword === 'properties' ? eachOf(value as Record<string, unknown>) : strictSchema(value);
  }
  const isClosed =
    'properties' in kept && !('additionalProperties' in kept) && kept['x-kubernetes-preserve-unknown-fields'] !== true;
  if (isClosed) strict['additionalProperties'] = false;
  return strict;
}

/** A property may be called as a keyword is, so each is a schema of its own. */
function eachOf(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, strictSchema(schema)]));
}

function isIntOrString(schema: Record<string, unknown>): boolean {
  return schema['x-kubernetes-int-or-string'] === true || schema['format'] === 'int-or-string';
}
