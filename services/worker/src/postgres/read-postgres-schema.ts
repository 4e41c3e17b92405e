import type pg from 'pg';
import type { ColumnType, Table } from '#libs/contracts';
import { typeNamed } from './postgres-types.js';

interface CatalogColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly source_type: string;
  readonly nullable: boolean;
  readonly type_name: string;
  readonly type_kind: string;
  readonly is_array: boolean;
  readonly samplable: boolean;
}

/** More than this is no longer a list that people look through, nor one message. */
const columnsMax = 20_000;

// Partitions are left out: they are read through their table. A domain shows as what it is made of.
const catalogQuery = `
  select n.nspname as schema, c.relname as table, a.attname as column,
         pg_catalog.format_type(a.atttypid, a.atttypmod) as source_type, not a.attnotnull as nullable,
         coalesce(b.typname, t.typname) as type_name, coalesce(b.typtype, t.typtype) as type_kind,
         coalesce(b.typcategory, t.typcategory) = 'A' as is_array,
         c.relkind in ('r', 'p', 'm') as samplable
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
   where n.nspname = any ($1::text[]) and c.relkind in ('r', 'v', 'm', 'f', 'p') and not c.relispartition
     and pg_catalog.has_schema_privilege(n.oid, 'usage')
     and pg_catalog.has_column_privilege(c.oid, a.attnum, 'select')
   order by n.nspname, c.relname, a.attnum
   limit ${columnsMax}`;

/** The tables and views that the role may read in the schemas, with those columns that it may read. */
export async function readPostgresSchema(client: pg.Client, schemas: readonly string[]): Promise<Table[]> {
  const { rows } = await client.query<CatalogColumn>(catalogQuery, [schemas]);
  const tables = new Map<string, Table>();
  for (const row of rows) {
    const key = JSON.stringify([row.schema, row.table]);
    const table = tables.get(key) ?? { schema: row.schema, name: row.table, columns: [], samplable: row.samplable };
    tables.set(key, table);
    table.columns.push({
      name: row.column,
      type: typeOf(row),
      sourceType: row.source_type,
      nullable: row.nullable,
    });
  }
  return [...tables.values()];
}

function typeOf({ is_array, type_kind, type_name }: CatalogColumn): ColumnType {
  if (is_array) return 'ARRAY';
  return type_kind === 'e' || type_name === 'citext' ? 'TEXT' : typeNamed(type_name).type;
}
