import { notReadOnly, placeOf, rejected } from '../sql-text.js';

export interface DuckdbNode {
  readonly [name: string]: unknown;
}

/** What json_serialize_sql answers. */
interface Serialized {
  error: boolean;
  error_message?: string;
  /** Characters in front of the fault, as text. */
  position?: string;
  statements?: { node: DuckdbNode }[];
}

type Serialize = (sql: string) => Promise<string>;

/** In this order; the last makes all of them final. */
const lockDown = [
  'set autoinstall_known_extensions = false',
  'set autoload_known_extensions = false',
  'set allow_community_extensions = false',
  'set allow_persistent_secrets = false',
  "set memory_limit = '128MB'",
  'set enable_external_access = false',
  'set lock_configuration = true',
];

/** Faults that DuckDB's grammar finds by itself in statements that would not only read. */
const writesInGrammar: readonly [pattern: RegExp, message: string][] = [
  [/CTE needs a SELECT/, 'A common table expression that writes is not allowed: only one SELECT that reads is run.'],
  [/SELECT INTO/, 'SELECT INTO is not allowed: only one SELECT that reads is run.'],
  [/locking clause/, 'A locking clause such as FOR UPDATE is not allowed: only one SELECT that reads is run.'],
];

let parser: Promise<Serialize> | undefined;

/**
 * The statements of a text, by DuckDB's own parser: an instance in memory that holds no table, reaches no file and is
 * used for nothing else; loaded on first use.
 * @throws AppError sql.rejected for what does not parse; sql.not_read_only where a statement is no SELECT
 */
export async function parseDuckdb(sql: string): Promise<DuckdbNode[]> {
  parser ??= load();
  const serialize = await parser;
  // The function's own form, named above.
  const answer = JSON.parse(await serialize(sql)) as Serialized;
  if (answer.error) throw refusal(answer, sql);
  return (answer.statements ?? []).map(({ node }) => node);
}

async function load(): Promise<Serialize> {
  try {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    for (const statement of lockDown) await connection.run(statement);
    const prepared = await connection.prepare(
      'select json_serialize_sql($1::varchar, skip_default := true, skip_empty := true, skip_null := true)',
    );
    let last: Promise<unknown> = Promise.resolve();
    const run = async (sql: string): Promise<string> => {
      prepared.bindVarchar(1, sql);
      const rows = await (await prepared.run()).getRows();
      return String(rows[0]?.[0]);
    };
    // One at a time: the bound value belongs to the one prepared statement.
    return (sql) => {
      const answer = last.then(() => run(sql));
      last = answer.catch(() => undefined);
      return answer;
    };
  } catch (error) {
    parser = undefined;
    throw error;
  }
}

function refusal({ error_message: message = '', position }: Serialized, sql: string): Error {
  if (message.startsWith('Only SELECT statements'))
    return notReadOnly(`${nameOf(sql)} is not allowed: only one SELECT that reads is run.`);
  const write = writesInGrammar.find(([pattern]) => pattern.test(message));
  if (write) return notReadOnly(write[1]);
  return rejected(message, position === undefined ? undefined : placeOf(sql, Number(position)));
}

const comments = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|;)+/;

/** The statement's first word, for a message only. */
function nameOf(sql: string): string {
  const word = /^[a-z]{2,20}/i.exec(sql.replace(comments, ''))?.[0]?.toUpperCase();
  if (word === undefined) return 'This';
  return ['SELECT', 'WITH', 'FROM', 'VALUES'].includes(word)
    ? 'More than one SELECT, as PIVOT without IN makes it,'
    : word;
}
