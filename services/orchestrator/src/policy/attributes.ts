import type { JsonObject, JsonValue } from '#libs/kernel';
import type { PolicyCaller, TypedValue } from '#libs/sql';

/** A user's attributes as values to bind. What is no scalar and no list of scalars is absent, and so lets nothing through. */
export function toAttributes(attributes: JsonObject): PolicyCaller['attributes'] {
  const known = Object.entries(attributes).flatMap(([name, json]) => {
    const value = Array.isArray(json) ? toList(json) : toTyped(json);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(known);
}

function toList(items: readonly JsonValue[]): readonly TypedValue[] | undefined {
  const values = items.map(toTyped).filter((value) => value !== undefined);
  return values.length === items.length ? values : undefined;
}

function toTyped(json: JsonValue): TypedValue | undefined {
  switch (typeof json) {
    case 'string':
      return { type: 'text', value: json };
    case 'number':
      return { type: Number.isSafeInteger(json) ? 'integer' : 'number', value: String(json) };
    case 'boolean':
      return { type: 'boolean', value: String(json) };
    default:
      // Null is no value, and an object is none that SQL could compare.
      return undefined;
  }
}
