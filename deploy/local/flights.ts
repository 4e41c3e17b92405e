import { rm } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type pg from 'pg';
import { superuserUrl } from './postgres-server.ts';
import { withClient } from './postgres.ts';

const database = 'flights';
export const reader = 'flights_reader';

export interface FlightsOptions {
  port: number;
  superuserPassword: string;
  readerPassword: string;
  /** A file that PostgreSQL's own user can read, for the time of loading. */
  temporaryFile: string;
}

/** The same two tables in PostgreSQL, all 3,000,000 rows, for a role that can read them and nothing else. Once. */
export async function loadFlightsIntoPostgres(options: FlightsOptions): Promise<void> {
  const { port, superuserPassword, readerPassword, temporaryFile } = options;
  await withClient(superuserUrl(port, superuserPassword, 'postgres'), async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (rowCount === 0) await client.query(`create database ${database}`);
    await prepareReader(client, readerPassword);
  });
  await withClient(superuserUrl(port, superuserPassword, database), async (client) => {
    const { rows } = await client.query<{ loaded: boolean }>(
      "select to_regclass('public.flights') is not null as loaded",
    );
    if (rows[0]?.loaded === true) return;
    await writeCsv(temporaryFile);
    try {
      await load(client, temporaryFile);
    } finally {
      await Promise.all([temporaryFile, `${temporaryFile}.airports`].map((file) => rm(file, { force: true })));
    }
  });
}

async function prepareReader(client: pg.Client, password: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [reader]);
  // Utility statements take no parameters; the name is ours, and the password is quoted by the client.
  await client.query(
    `${rowCount === 0 ? 'create' : 'alter'} role ${reader} login password ${client.escapeLiteral(password)}`,
  );
  await client.query(`alter role ${reader} set default_transaction_read_only = on`);
  await client.query(`revoke all on database ${database} from public`);
  await client.query(`grant connect on database ${database} to ${reader}`);
}

async function writeCsv(file: string): Promise<void> {
  const program = fileURLToPath(new URL('./flights-csv.ts', import.meta.url));
  await promisify(execFile)(process.execPath, [program, file]);
}

// In one transaction, so that the tables are there whole or not at all.
async function load(client: pg.Client, file: string): Promise<void> {
  await client.query('begin');
  await client.query(
    'create table flights (date timestamp, delay bigint, distance bigint, origin text, destination text)',
  );
  await client.query(
    'create table airports (iata text primary key, name text, city text, state text, country text, latitude double precision, longitude double precision)',
  );
  await client.query(`copy flights from ${client.escapeLiteral(file)} (format csv, freeze)`);
  await client.query(`copy airports from ${client.escapeLiteral(`${file}.airports`)} (format csv, freeze)`);
  await client.query('create index on flights (origin)');
  await client.query(`grant select on flights, airports to ${reader}`);
  await client.query('revoke create on schema public from public');
  // The one function with which a query could change the settings of its own session.
  await client.query('revoke execute on function pg_catalog.set_config(text, text, boolean) from public');
  await client.query('commit');
  await client.query('analyze flights, airports');
}
