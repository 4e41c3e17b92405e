import type { JsonValue } from '#libs/kernel';
import type { ValueType } from './bound-value.js';

export type ParameterType =
  'TEXT' | 'INTEGER' | 'NUMBER' | 'BOOLEAN' | 'DATE' | 'DATETIME' | 'DATE_RANGE' | 'DATETIME_RANGE';

/** What a parameter may be. `checkDefinitions` says whether the parts of one fit together. */
export interface ParameterDefinition {
  /** A letter, then letters, digits and `_`; at most 64 in all. */
  readonly name: string;
  readonly type: ParameterType;
  /** Any number of values, up to 10,000, instead of one. */
  readonly multiple: boolean;
  readonly required: boolean;
  /** Taken where no value is given; words such as `last 7 days` are resolved each time anew. */
  readonly default?: JsonValue | undefined;
  /** Only these values are allowed. As the options of a TEXT they are also the identifiers that it may name. */
  readonly options?: readonly { readonly value: JsonValue }[] | null | undefined;
  /** The saved query whose answer has the allowed values. */
  readonly optionsQueryId?: string | null | undefined;
  /** For numbers and for dates, of which words are taken too; for a range both of its ends. */
  readonly minimum?: JsonValue | undefined;
  readonly maximum?: JsonValue | undefined;
}

interface TypeFacts {
  readonly value: ValueType;
  readonly isRange: boolean;
  readonly isBounded: boolean;
}

export const parameterTypes: Readonly<Record<ParameterType, TypeFacts>> = {
  TEXT: { value: 'text', isRange: false, isBounded: false },
  INTEGER: { value: 'integer', isRange: false, isBounded: true },
  NUMBER: { value: 'number', isRange: false, isBounded: true },
  BOOLEAN: { value: 'boolean', isRange: false, isBounded: false },
  DATE: { value: 'date', isRange: false, isBounded: true },
  DATETIME: { value: 'datetime', isRange: false, isBounded: true },
  DATE_RANGE: { value: 'date', isRange: true, isBounded: true },
  DATETIME_RANGE: { value: 'datetime', isRange: true, isBounded: true },
};

const nameForm = /^[A-Za-z]\w{0,63}$/;

/** The caller's values, the state of a loop, and the words of conditions. */
const reservedNames: ReadonlySet<string> = new Set([
  ...['user', 'loop', 'and', 'or', 'not', 'in', 'true', 'false', 'null'],
]);

export function isReservedName(name: string): boolean {
  return reservedNames.has(name);
}

export function isParameterName(name: string): boolean {
  return nameForm.test(name) && !reservedNames.has(name);
}
