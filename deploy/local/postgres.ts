import pg from 'pg';
import { servicesWithDatabase, superuserUrl } from './postgres-server.ts';
import { waitFor } from './wait-for.ts';

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
