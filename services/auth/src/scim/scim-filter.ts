import { parse, type Filter } from 'scim2-parse-filter';
import { escapeLike } from '#libs/database';
import { AppError } from '#libs/kernel';

/** What one attribute is in SQL. */
export interface FilterColumn {
  readonly sql: string;
  readonly type: 'text' | 'exact' | 'boolean' | 'time';
}

/** Attributes of a resource, by their name in lower case. */
export type FilterColumns = Readonly<Record<string, FilterColumn>>;

export interface SqlCondition {
  readonly sql: string;
  readonly values: readonly unknown[];
}

type Comparison = Extract<Filter, { compValue: unknown }>;

const lengthMax = 2_000;
const termsMax = 20;
const orders: Readonly<Record<string, string>> = { gt: '>', ge: '>=', lt: '<', le: '<=' };

/**
 * A SCIM filter (RFC 7644, 3.4.2.2) as a condition whose values are bound.
 * @param firstPlace the number of its first parameter
 * @throws AppError `input.invalid` at `filter`
 */
export function filterToSql(text: string, columns: FilterColumns, firstPlace: number): SqlCondition {
  const values: unknown[] = [];
  let terms = 0;
  const bind = (value: unknown): string => `$${firstPlace + values.push(value) - 1}`;
  const toSql = (filter: Filter, within = ''): string => {
    terms += 1;
    if (terms > termsMax) throw invalid(`a filter has at most ${termsMax} terms`);
    // The parser's types leave out that `op` tells them apart.
    if ('filters' in filter) return `(${filter.filters.map((each) => toSql(each, within)).join(` ${filter.op} `)})`;
    if ('filter' in filter) return `not coalesce(${toSql(filter.filter, within)}, false)`;
    if ('valFilter' in filter) return toSql(filter.valFilter, `${filter.attrPath}.`);
    const path = `${within}${filter.attrPath}`.toLowerCase().replace(/^urn:[^ ]*:/, '');
    // A multi-valued attribute alone stands for its values; every address that is kept is the primary one, of work.
    const known = columnOf(columns, path) ?? columnOf(columns, `${path}.value`);
    if (!known) throw invalid(`there is no attribute ${filter.attrPath} to filter by`);
    return 'compValue' in filter ? comparison(known, filter, bind) : `(${known.sql}) is not null`;
  };
  return { sql: toSql(parsed(text)), values };
}

function columnOf(columns: FilterColumns, path: string): FilterColumn | undefined {
  // An attribute may be named as a member that every object has.
  return Object.hasOwn(columns, path) ? columns[path] : undefined;
}

function parsed(text: string): Filter {
  if (text.length > lengthMax) throw invalid(`a filter has at most ${lengthMax} characters`);
  try {
    return parse(text);
  } catch (cause) {
    throw invalid('it cannot be read', cause);
  }
}

function comparison(
  { sql, type }: FilterColumn,
  { op, compValue }: Comparison,
  bind: (value: unknown) => string,
): string {
  if (compValue === null) {
    if (op === 'eq') return `(${sql}) is null`;
    if (op === 'ne') return `(${sql}) is not null`;
    throw invalid(`null cannot be compared by ${op}`);
  }
  if (type === 'boolean') {
    // Entra ID writes them as texts.
    const value = typeof compValue === 'string' ? compValue.toLowerCase() === 'true' : compValue;
    if (op === 'eq' || op === 'ne') return `(${sql}) ${op === 'eq' ? '=' : '<>'} ${bind(value)}::boolean`;
    throw invalid(`true and false cannot be compared by ${op}`);
  }
  const text = String(compValue);
  if (text.includes('\0')) throw invalid('it holds a character that no value has');
  if (type === 'time') return timeComparison(sql, op, text, bind);
  const [left, value] = type === 'text' ? [`lower(${sql})`, text.toLowerCase()] : [sql, text];
  switch (op) {
    case 'eq':
      return `${left} = ${bind(value)}::text`;
    case 'ne':
      return `${left} is distinct from ${bind(value)}::text`;
    case 'co':
      return `${left} like ${bind(`%${escapeLike(value)}%`)}::text`;
    case 'sw':
      return `${left} like ${bind(`${escapeLike(value)}%`)}::text`;
    case 'ew':
      return `${left} like ${bind(`%${escapeLike(value)}`)}::text`;
    default:
      return `${left} ${orders[op] ?? '='} ${bind(value)}::text`;
  }
}

function timeComparison(sql: string, op: string, text: string, bind: (value: unknown) => string): string {
  const time = new Date(text);
  const order = op === 'eq' ? '=' : op === 'ne' ? '<>' : orders[op];
  if (Number.isNaN(time.getTime()) || order === undefined) throw invalid(`times cannot be compared by ${op} ${text}`);
  return `(${sql}) ${order} ${bind(time)}::timestamptz`;
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError('input.invalid', `The filter is not good: ${message}.`, { path: ['filter'], cause });
}
