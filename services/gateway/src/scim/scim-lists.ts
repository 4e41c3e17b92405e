import { invalid, scimSchemas, type ScimObject } from './scim-resource.js';

interface ListArgs {
  readonly filter?: string;
  readonly startIndex: number;
  readonly count: number;
}

const countDefault = 100;

/** @throws AppError `input.invalid` */
export function listArgs(query: Readonly<Record<string, unknown>>): ListArgs {
  const { filter } = query;
  if (filter !== undefined && typeof filter !== 'string') throw invalid('filter', 'filter may be given once.');
  return {
    ...(filter === undefined ? {} : { filter }),
    startIndex: Math.max(1, integerOf(query, 'startIndex', 1)),
    count: Math.max(0, integerOf(query, 'count', countDefault)),
  };
}

export function listBody(resources: readonly ScimObject[], total: number, { startIndex }: ListArgs): ScimObject {
  return {
    schemas: [scimSchemas.list],
    totalResults: total,
    startIndex,
    itemsPerPage: resources.length,
    Resources: resources,
  };
}

function integerOf(query: Readonly<Record<string, unknown>>, name: string, otherwise: number): number {
  const value = query[name];
  if (value === undefined) return otherwise;
  if (typeof value === 'string' && /^-?\d{1,9}$/.test(value)) return Number(value);
  throw invalid(name, `${name} must be a whole number.`);
}
