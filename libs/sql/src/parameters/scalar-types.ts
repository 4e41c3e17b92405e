import type { JsonValue } from '#libs/kernel';
import type { BoundValue, ValueType } from './bound-value.js';
import { parseDate, parseDatetime, zonedFrom, type TimeContext } from './civil-time.js';
import { canonicalInteger, canonicalNumber, compareDecimals } from './decimal.js';
import { relativeDate, relativeDatetime } from './relative-dates.js';

interface ScalarType {
  /** As a message says it: "must be …". */
  readonly description: string;
  /** The canonical form of what a caller sent, or undefined where it is none of the type. */
  readonly parse: (json: JsonValue, context: TimeContext) => string | undefined;
}

export const scalarTypes: Readonly<Record<ValueType, ScalarType>> = {
  text: {
    description: 'a text',
    parse: (json) => (typeof json === 'string' && isStorable(json) ? json : undefined),
  },
  integer: {
    description: 'an integer',
    parse: (json) => {
      // Above 2^53 JSON has lost digits already; they are to be sent as text.
      if (typeof json === 'number') return Number.isSafeInteger(json) ? canonicalInteger(String(json)) : undefined;
      return typeof json === 'string' ? canonicalInteger(json) : undefined;
    },
  },
  number: {
    description: 'a number',
    parse: (json) => (typeof json === 'number' || typeof json === 'string' ? canonicalNumber(String(json)) : undefined),
  },
  boolean: {
    description: 'true or false',
    parse: (json) =>
      json === true || json === false || json === 'true' || json === 'false' ? String(json) : undefined,
  },
  date: {
    description: 'a date such as "2026-11-21", or "today" or "yesterday"',
    parse: (json, context) => (typeof json === 'string' ? (parseDate(json) ?? relativeDate(json, context)) : undefined),
  },
  datetime: {
    description: 'a date and time such as "2026-11-21T07:30:00Z", or "now", "today" or "yesterday"',
    parse: (json, context) =>
      typeof json === 'string' ? (parseDatetime(json, context.timeZone) ?? relativeDatetime(json, context)) : undefined,
  },
};

/** A value of the type out of JSON, null as NULL; undefined where it is none. */
export function parseScalar(type: ValueType, json: JsonValue, context: TimeContext): BoundValue | undefined {
  if (json === null) return { type, value: null };
  const value = scalarTypes[type].parse(json, context);
  return value === undefined ? undefined : { type, value };
}

/** A value by the type that JSON gives it; undefined for what is no scalar, or no text that a source can hold. */
export function scalarOfJson(json: JsonValue): BoundValue | undefined {
  switch (typeof json) {
    case 'string':
      return isStorable(json) ? { type: 'text', value: json } : undefined;
    case 'boolean':
      return { type: 'boolean', value: String(json) };
    case 'number':
      return { type: Number.isSafeInteger(json) ? 'integer' : 'number', value: canonicalNumber(String(json)) ?? null };
    default:
      return json === null ? { type: 'text', value: null } : undefined;
  }
}

/**
 * A value as one of another type, for a filter; undefined where it has no such form. Words such as `today` are none of
 * a text: what they come to is told to the caller with the parameters, and for that the parameter has to be declared.
 */
export function convertScalar(from: BoundValue, type: ValueType, { timeZone }: TimeContext): BoundValue | undefined {
  if (from.value === null) return { type, value: null };
  const value = converted(from.type, from.value, type, timeZone);
  return value === undefined ? undefined : { type, value };
}

/** Less than, equal to or greater than 0; undefined where values of these types, or NULL, have no order. */
export function compareScalars(left: BoundValue, right: BoundValue): number | undefined {
  if (left.value === null || right.value === null) return undefined;
  if (isNumeric(left.type) && isNumeric(right.type)) return compareDecimals(left.value, right.value);
  if (left.type !== right.type) return undefined;
  // The Z of an instant with fewer digits would sort behind the digits of another.
  const [a, b] =
    left.type === 'datetime' ? [left.value.slice(0, -1), right.value.slice(0, -1)] : [left.value, right.value];
  return a < b ? -1 : a > b ? 1 : 0;
}

function converted(from: ValueType, value: string, to: ValueType, timeZone: string): string | undefined {
  if (from === to || to === 'text') return value;
  switch (to) {
    case 'integer':
      return from === 'text' || from === 'number' ? canonicalInteger(value) : undefined;
    case 'number':
      return from === 'text' || from === 'integer' ? canonicalNumber(value) : undefined;
    case 'boolean':
      return from === 'text' && (value === 'true' || value === 'false') ? value : undefined;
    case 'date':
      if (from === 'datetime') return zonedFrom(value, timeZone).toPlainDate().toString();
      return from === 'text' ? parseDate(value) : undefined;
    case 'datetime':
      return from === 'text' || from === 'date' ? parseDatetime(value, timeZone) : undefined;
  }
}

function isNumeric(type: ValueType): boolean {
  return type === 'integer' || type === 'number';
}

/** NUL ends a text early for some sources; half of a surrogate pair has no UTF-8 form. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
