import type { JsonObject } from '#libs/kernel';
import type { SourceType } from './source-type.js';

export type DuckdbTableFile = { readonly parquet: string } | { readonly csv: string };

/** The options of a DuckDB source: files as tables, or a database file; exactly one of the two. */
export interface DuckdbSourceOptions {
  readonly tables?: Readonly<Record<string, DuckdbTableFile>>;
  /** A .duckdb file, opened read-only. */
  readonly database?: string;
  /** Not set: the worker's own limit. */
  readonly memoryLimitMb?: number;
  /** Not set: the worker's own limit. */
  readonly threads?: number;
  /** Not set: no ceiling. */
  readonly maxEstimatedRows?: number;
}

// Absolute; no empty, `.` or `..` segment; nothing that DuckDB would read as a pattern of many files.
const segment = '(?!\\.{1,2}(?:/|$))[^/*?\\[\\]{}\\\\\\u0000-\\u001f\\u007f]+';
const pathPattern = `^(?:/${segment})+$`;

const path = (description: string): JsonObject => ({
  type: 'string',
  description: `${description} An absolute path on the workers, in a directory opened to sources, without .. and without wildcards.`,
  maxLength: 1_000,
  pattern: pathPattern,
});

export const duckdbType: SourceType = {
  name: 'duckdb',
  title: 'DuckDB',
  capabilities: ['CANCEL', 'STREAM', 'COST_ESTIMATE', 'SCHEMA'],
  destination: [],
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    oneOf: [{ required: ['tables'] }, { required: ['database'] }],
    properties: {
      tables: {
        type: 'object',
        title: 'Tables',
        description: 'A table for each file, by its name.',
        minProperties: 1,
        maxProperties: 200,
        propertyNames: {
          description: 'A plain name: letters, digits and _, at most 63 characters.',
          pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$',
        },
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          oneOf: [{ required: ['parquet'] }, { required: ['csv'] }],
          properties: { parquet: path('A Parquet file.'), csv: path('A CSV file with a header.') },
        },
      },
      database: { title: 'Database', ...path('A DuckDB file, opened read-only.') },
      memoryLimitMb: {
        type: 'integer',
        title: 'Memory limit in MB',
        description: "Not set: the worker's own limit, which also is the most.",
        minimum: 64,
        maximum: 65_536,
      },
      maxEstimatedRows: {
        type: 'integer',
        title: 'Ceiling of estimated rows',
        description:
          'A query of whose plan a step is estimated to have more rows needs the permission expensive_query.run. Not set: no ceiling.',
        minimum: 1,
        maximum: 1e15,
      },
      threads: {
        type: 'integer',
        title: 'Threads',
        description: "Not set: the worker's own limit, which also is the most.",
        minimum: 1,
        maximum: 64,
      },
    },
  },
};
