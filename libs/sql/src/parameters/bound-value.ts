import type { JsonValue } from '#libs/kernel';

/**
 * A value as it is bound, in the one form that its type has, so that equal values are equal texts: fit for a cache
 * key, for a message and for a driver that sends text. Null is NULL.
 *
 * text: any Unicode text without NUL. integer: digits, `-` in front. number: digits as they were given, `-1.50`,
 * `6e23`. boolean: `true`, `false`. date: `2026-11-21`. datetime: an instant in UTC, `2026-11-21T07:30:00.000Z`, with
 * three digits of a second or six.
 */
export type BoundValue = {
  readonly [T in ValueType]: {
    readonly type: T;
    readonly value: string | null;
    /** Nobody but the source may have it: whoever hands it on seals it. */
    readonly isSecret?: true;
  };
}[ValueType];

export type ValueType = 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'datetime';

/** What a name of a template stands for: one value, any number of them, or a range of dates or instants. */
export type ParameterValue =
  | { readonly kind: 'scalar'; readonly value: BoundValue }
  | { readonly kind: 'list'; readonly items: readonly BoundValue[] }
  | { readonly kind: 'range'; readonly start: BoundValue; readonly end: BoundValue };

/** One text for values of equal types, forms and order, and for no others. */
export function keyOfValues(values: readonly BoundValue[]): string {
  return JSON.stringify(values.map(({ type, value }) => [type, value]));
}

/** As `Execution.parameters` shows it. A number whose digits JSON would lose stays text. */
export function toJson(value: ParameterValue): JsonValue {
  switch (value.kind) {
    case 'scalar':
      return scalarToJson(value.value);
    case 'list':
      return value.items.map(scalarToJson);
    case 'range':
      return { start: scalarToJson(value.start), end: scalarToJson(value.end) };
  }
}

function scalarToJson({ type, value }: BoundValue): JsonValue {
  if (value === null) return null;
  if (type === 'boolean') return value === 'true';
  if (type !== 'integer' && type !== 'number') return value;
  return String(Number(value)) === value ? Number(value) : value;
}
