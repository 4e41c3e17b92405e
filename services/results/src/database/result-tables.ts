/** The tables by their full names; the search path decides nothing. */
export interface ResultTables {
  readonly manifest: string;
  readonly page: string;
  readonly store: string;
  readonly sweep: string;
}

/** What of a DataSource is needed to name its tables. */
interface SchemaSource {
  readonly options: object;
  readonly driver: { escape(name: string): string };
}

export function resultTables(source: SchemaSource): ResultTables {
  const prefix = source.driver.escape(schemaOf(source));
  return {
    manifest: `${prefix}.manifest`,
    page: `${prefix}.page`,
    store: `${prefix}.store`,
    sweep: `${prefix}.sweep`,
  };
}

export function schemaOf({ options }: SchemaSource): string {
  if ('schema' in options && typeof options.schema === 'string') return options.schema;
  throw new Error('the data source names no schema');
}
