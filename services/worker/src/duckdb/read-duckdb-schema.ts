import type { DuckDBConnection } from '@duckdb/node-api';
import type { ColumnType, Table } from '#libs/contracts';
import { columnTypeOf } from './duckdb-types.js';

/** More than this is no longer a list that people look through, nor one message. */
const columnsMax = 20_000;

const tablesQuery = `
  select table_schema, table_name from information_schema.tables
   where table_catalog = current_database() order by all`;

const columnsQuery = `
  select table_schema, table_name, column_name, data_type, is_nullable from information_schema.columns
   where table_catalog = current_database() order by table_schema, table_name, ordinal_position limit ${columnsMax}`;

/** The tables and views of an instance with the types that their columns come out as. */
export async function readDuckdbSchema(connection: DuckDBConnection): Promise<Table[]> {
  const types = await typesOfColumns(connection);
  const rows = (await connection.runAndReadAll(columnsQuery)).getRows();
  const tables = new Map<string, Table>();
  for (const [schema, name, column, sourceType, nullable] of rows.map((row) => row.map(String))) {
    if (schema === undefined || name === undefined || column === undefined) continue;
    const key = JSON.stringify([schema, name]);
    const table = tables.get(key) ?? { schema, name, columns: [] };
    tables.set(key, table);
    table.columns.push({
      name: column,
      type: types.get(JSON.stringify([schema, name, column])) ?? 'UNKNOWN',
      sourceType: sourceType ?? '',
      nullable: nullable !== 'NO',
    });
  }
  return [...tables.values()];
}

/** By the engine's own description of `select * from` each table, so that no type's text has to be parsed here. */
async function typesOfColumns(connection: DuckDBConnection): Promise<Map<string, ColumnType>> {
  const types = new Map<string, ColumnType>();
  const rows = (await connection.runAndReadAll(tablesQuery)).getRows();
  for (const [schema, name] of rows.map((row) => row.map(String))) {
    if (schema === undefined || name === undefined) continue;
    const prepared = await connection.prepare(`select * from "${quote(schema)}"."${quote(name)}"`);
    for (let index = 0; index < prepared.columnCount; index += 1) {
      const key = JSON.stringify([schema, name, prepared.columnName(index)]);
      types.set(key, columnTypeOf(prepared.columnType(index)).type);
    }
    prepared.destroySync();
  }
  return types;
}

function quote(name: string): string {
  return name.replaceAll('"', '""');
}
