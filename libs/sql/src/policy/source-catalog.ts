import type { SqlDialect } from '../prove-read-only.js';
import type { KnownColumn, KnownTable, TableName } from './policy-types.js';

export interface SourceCatalogOptions {
  readonly dialect: SqlDialect;
  readonly tables: readonly KnownTable[];
  /** The schemas in which the source looks a name up that has none, in order. */
  readonly searchPath: readonly string[];
  /** The one catalog (database) that the source reads, where it is known. */
  readonly catalog?: string | undefined;
}

/** A known table with its columns by name. */
export interface CatalogTable {
  /** Unique in the source. */
  readonly key: string;
  readonly schema: string;
  readonly name: string;
  column(name: string): KnownColumn | undefined;
  readonly columns: readonly KnownColumn[];
}

/** What is known of a source's tables; names are resolved as the source would. */
export class SourceCatalog {
  readonly #tables = new Map<string, CatalogTable>();

  constructor(private readonly options: SourceCatalogOptions) {
    for (const table of options.tables) {
      if (!this.isCatalog(table.catalog)) continue;
      const schema = table.schema ?? options.searchPath[0] ?? '';
      const key = this.#keyOf(schema, table.name);
      this.#tables.set(
        key,
        catalogTable(key, schema, table, (name) => this.fold(name)),
      );
    }
  }

  /** PostgreSQL compares names as they are, once the parser has folded them; DuckDB without regard to case. */
  fold(name: string): string {
    return this.options.dialect === 'duckdb' ? name.toLowerCase() : name;
  }

  /** Undefined where the name is unknown; what is unknown to us may be anything at the source. */
  resolve({ catalog, schema, name }: TableName): CatalogTable | undefined {
    if (!this.isCatalog(catalog)) return undefined;
    const schemas = schema === undefined ? this.options.searchPath : [schema];
    for (const each of schemas) {
      const table = this.#tables.get(this.#keyOf(each, name));
      if (table) return table;
    }
    return undefined;
  }

  /** A name with what the source would put in for its absent parts. */
  withDefaults({ schema = this.options.searchPath[0] ?? '', name }: TableName): TableName & { schema: string } {
    return { schema, name };
  }

  all(): Iterable<CatalogTable> {
    return this.#tables.values();
  }

  private isCatalog(catalog: string | undefined): boolean {
    if (catalog === undefined) return true;
    return this.options.catalog !== undefined && this.fold(this.options.catalog) === this.fold(catalog);
  }

  #keyOf(schema: string, name: string): string {
    return JSON.stringify([this.fold(schema), this.fold(name)]);
  }
}

function catalogTable(
  key: string,
  schema: string,
  { name, columns }: KnownTable,
  fold: (name: string) => string,
): CatalogTable {
  let byName: Map<string, KnownColumn> | undefined;
  return {
    key,
    schema,
    name,
    columns,
    column: (wanted) => {
      byName ??= new Map(columns.map((column) => [fold(column.name), column]));
      return byName.get(fold(wanted));
    },
  };
}
