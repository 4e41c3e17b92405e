import { quoteIdentifier } from '#libs/database';

/** The tables by their full names; the search path decides nothing. */
export interface ResultTables {
  readonly manifest: string;
  readonly page: string;
  readonly store: string;
  readonly sweep: string;
}

/** `source`: a DataSource or what else has its options. */
export function resultTables(source: { readonly options: object }): ResultTables {
  const schema = 'schema' in source.options ? source.options.schema : undefined;
  if (typeof schema !== 'string') throw new Error('the data source names no schema');
  const prefix = quoteIdentifier(schema);
  return {
    manifest: `${prefix}.manifest`,
    page: `${prefix}.page`,
    store: `${prefix}.store`,
    sweep: `${prefix}.sweep`,
  };
}
