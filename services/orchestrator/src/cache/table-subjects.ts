import type { SourceConnection } from '#libs/contracts';
import { sqlDialectOf, type TableName } from '#libs/sql';

/** A result of more tables than this is made of all that its source has. */
const tablesMax = 50;
/** PostgreSQL cuts longer names, in bytes. */
const nameBytesMax = 63;

/**
 * The tables that a result is made of, as subjects. Each table is one of its name in any schema, and one of its name in its
 * schema; where the statement does not settle the schema, that is left open, and goes with every schema. So what may be the
 * table is, whatever the source's search path; names are compared without regard to case, as one of the engines does.
 */
export function tableSubjects(
  { id, type }: Pick<SourceConnection, 'id' | 'type'>,
  tables: readonly TableName[],
): string[] {
  if (tables.length > tablesMax) return [anyTable(id)];
  const isSettled = ({ catalog, schema }: TableName): boolean =>
    // To DuckDB the first part of two may be a catalog as well as a schema.
    schema !== undefined && (catalog !== undefined || sqlDialectOf(type) !== 'duckdb');
  const subjects = tables.flatMap((table) => [
    inAnySchema(id, table.name),
    inSchema(id, isSettled(table) ? table.schema : undefined, table.name),
  ]);
  return [...new Set(subjects)];
}

/** What is raised where a load tells of a table. A catalog says nothing: a source reads one. */
export function invalidatedTableSubjects(sourceId: string, { schema, name }: TableName): string[] {
  return schema === undefined
    ? [anyTable(sourceId), inAnySchema(sourceId, name)]
    : [anyTable(sourceId), inSchema(sourceId, schema, name), inSchema(sourceId, undefined, name)];
}

/** What every load of a table raises. */
export const anyTable = (sourceId: string): string => `tables:${sourceId}`;
const inAnySchema = (sourceId: string, name: string): string => subject(sourceId, [folded(name)]);
const inSchema = (sourceId: string, schema: string | undefined, name: string): string =>
  subject(sourceId, [schema === undefined ? null : folded(schema), folded(name)]);
const subject = (sourceId: string, parts: readonly (string | null)[]): string =>
  `table:${sourceId}:${JSON.stringify(parts)}`;

function folded(name: string): string {
  let kept = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > nameBytesMax) break;
    kept += character;
  }
  return kept.toLowerCase();
}
