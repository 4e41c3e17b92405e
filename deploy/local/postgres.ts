import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Child } from './child-process.ts';
import { waitFor } from './wait-for.ts';

export interface LocalPostgresOptions {
  directory: string;
  port: number;
  password: string;
  logFile: string;
}

const flags = [
  ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
  // A laptop's share of memory; the whole installation is meant to stay below 900 MB.
  ...['-c', 'shared_buffers=32MB', '-c', 'max_wal_size=2GB', '-c', 'jit=off', '-c', 'wal_compression=on'],
  // No processes of its own for reading ahead, replication and parallel plans.
  ...['-c', 'io_method=sync', '-c', 'max_logical_replication_workers=0', '-c', 'max_parallel_workers_per_gather=0'],
];

export function postgresChild({ directory, port, password, logFile }: LocalPostgresOptions): Child {
  return new Child({
    name: 'postgres',
    command: process.execPath,
    args: [fileURLToPath(new URL('./postgres-process.ts', import.meta.url))],
    env: { SLUICE_LOCAL_POSTGRES: JSON.stringify({ directory, port, password, flags }) },
    logFile,
  });
}

export function superuserUrl(port: number, password: string, database: string): string {
  return `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

export function waitForPostgres(url: string): Promise<void> {
  return waitFor(
    'PostgreSQL',
    () => withClient(url, async (client) => (await client.query('select 1')).rowCount === 1),
    60_000,
  );
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export const servicesWithDatabase = ['auth', 'metadata', 'orchestrator', 'results'] as const;

/** A database of Sluice's own, with a role and a schema for each service that keeps something; nobody reads another's. */
export async function prepareServiceDatabase(
  port: number,
  superuserPassword: string,
  rolePassword: string,
): Promise<void> {
  await withClient(superuserUrl(port, superuserPassword, 'postgres'), async (client) => {
    const { rowCount } = await client.query("select 1 from pg_database where datname = 'sluice'");
    if (rowCount === 0) {
      await client.query('create database sluice');
      await client.query('revoke connect on database postgres, sluice from public');
    }
  });
  await withClient(superuserUrl(port, superuserPassword, 'sluice'), async (client) => {
    for (const service of servicesWithDatabase) {
      const role = `sluice_${service}`;
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
      // Utility statements take no parameters; the names are ours, and the password is quoted by the client.
      const password = client.escapeLiteral(rolePassword);
      await client.query(`${rowCount === 0 ? 'create' : 'alter'} role ${role} login password ${password}`);
      await client.query(`grant connect on database sluice to ${role}`);
      await client.query(`create schema if not exists ${service} authorization ${role}`);
    }
  });
}

export function serviceDatabaseUrl(port: number, service: string, password: string): string {
  return `postgresql://sluice_${service}:${encodeURIComponent(password)}@127.0.0.1:${port}/sluice`;
}
