import { createHash } from 'node:crypto';
import { EntityManager, QueryFailedError, type DataSource } from 'typeorm';
import { keepsPrepared } from './connection/data-source-options.js';
import { postgresCode } from './postgres-errors.js';

/** What TypeORM hands out untyped: the driver's own connection. */
interface DriverConnection {
  query<Row>(statement: { name?: string; text: string; values: unknown[] }): Promise<{ rows: Row[] }>;
}

/** A connection keeps a plan for each of these; more would be a text that is not fixed. */
const textsMax = 200;
const names = new Map<string, string>();
/** How often a text's plans were outdated. */
const generations = new Map<string, number>();
/** A plan of another result or types; a statement that a pooler has lost. */
const outdated: readonly (string | undefined)[] = ['0A000', '26000', '42804'];

/**
 * Does a statement of fixed text that is done again and again: a connection parses and plans it once. For the statements
 * that every question needs; what depends on its input, such as a filter, has no fixed text. Behind a pooler that forgets
 * what was prepared it is a statement like any other.
 */
export async function queryPrepared<Row>(
  on: DataSource | EntityManager,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const isAlone = !(on instanceof EntityManager && on.queryRunner);
  try {
    return await queryOnce<Row>(on, text, values);
  } catch (error) {
    if (!outdated.includes(postgresCode(error))) throw error;
    // Planned before a migration changed what it names: from now on it is another statement.
    generations.set(text, (generations.get(text) ?? 0) + 1);
    names.delete(text);
    if (isAlone) return queryOnce<Row>(on, text, values);
    throw error;
  }
}

async function queryOnce<Row>(
  on: DataSource | EntityManager,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const database = on instanceof EntityManager ? on.connection : on;
  const named = keepsPrepared(database.options) ? { name: nameOf(text) } : {};
  const statement = { ...named, text, values: [...values] };
  // Within a transaction on its connection, else on one for this statement alone.
  const joined = on instanceof EntityManager ? on.queryRunner : undefined;
  const runner = joined ?? database.createQueryRunner();
  try {
    // TypeORM types its driver's connection as any.
    const connection = (await runner.connect()) as DriverConnection;
    const { rows } = await connection.query<Row>(statement);
    return rows;
  } catch (error) {
    throw error instanceof Error ? new QueryFailedError(text, statement.values, error) : error;
  } finally {
    if (runner !== joined) await runner.release();
  }
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= textsMax) throw new Error('a statement to be prepared has no fixed text');
  const name = createHash('sha256')
    .update(`${generations.get(text) ?? 0} ${text}`)
    .digest('base64url')
    .slice(0, 32);
  names.set(text, name);
  return name;
}
