import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { History } from './history.ts';

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
afterEach(() => void vi.unstubAllEnvs());

it('tells the size of the history as an estimate, in whole executions, also where there are no statistics', async () => {
  const url = await postgres.createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create schema orchestrator; create table orchestrator.execution (id text);
    insert into orchestrator.execution values ('a'), ('b'), ('c')`);
  await client.end();
  vi.stubEnv('SLUICE_ORCHESTRATOR_DATABASE_URL', url);
  const history = await History.open();
  await history.close();
  // A page of 8192 bytes, each row taken for 300.
  expect(history.sample).toEqual({ percent: 100, executionsEstimated: 27 });
});
