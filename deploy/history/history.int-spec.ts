import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { PgBouncer, startPostgres, type PostgresServer } from '#libs/testing';
import { History } from './history.ts';

let postgres: PostgresServer;
let url: string;

async function run(address: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function sampleAt(address: string, password?: string): Promise<History['sample']> {
  vi.stubEnv('SLUICE_ORCHESTRATOR_DATABASE_URL', address);
  vi.stubEnv('SLUICE_ORCHESTRATOR_DATABASE_PASSWORD', password);
  const history = await History.open();
  await history.close();
  return history.sample;
}

beforeAll(async () => {
  postgres = await startPostgres({ auth: 'scram-sha-256' });
  url = await postgres.createDatabase();
  await run(
    url,
    `create schema orchestrator; create table orchestrator.execution (id text);
     insert into orchestrator.execution values ('a'), ('b'), ('c')`,
  );
});
afterAll(() => postgres.stop());
afterEach(() => void vi.unstubAllEnvs());

/** A page of 8192 bytes, each row taken for 300. */
const sample = { percent: 100, executionsEstimated: 27 };

it('tells the size of the history as an estimate, in whole executions, also where there are no statistics', async () => {
  expect(await sampleAt(url)).toEqual(sample);
});

it('reaches the history as the orchestrator does: by a password of its own, and one of several servers', async () => {
  const { username, password, host, pathname } = new URL(url);
  expect(await sampleAt(`postgresql://${username}@${host}${pathname}`, password)).toEqual(sample);
  expect(await sampleAt(`postgresql://${username}@127.0.0.1:1,${host}${pathname}`, password)).toEqual(sample);
});

it('leaves nothing behind on a connection of a pooler', async () => {
  const { username, password, port, pathname } = new URL(url);
  await using pooler = await PgBouncer.start({
    configuration: 'deploy/postgres/pgbouncer.ini',
    users: `"${username}" "${password}"\n`,
    server: { port: Number(port) },
  });
  const pooled = pooler.urlOf(username, password, pathname.slice(1));
  expect(await sampleAt(pooled)).toEqual(sample);
  await run(pooled, 'create table orchestrator.written ()');
});
