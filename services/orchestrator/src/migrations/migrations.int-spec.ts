import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InboxEntity, OutboxEntity } from '#libs/database';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { migrations } from './migrations.js';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const open = (url: string, some: typeof migrations): Promise<DataSource> => {
  const entities = [OutboxEntity, InboxEntity];
  return new DataSource({ type: 'postgres', url, schema: 'orchestrator', entities, migrations: some }).initialize();
};

it('What waited before there was a backlog waits in it, also where nothing was ever dispatched from its lane', async () => {
  const url = await server.createDatabase();
  const before = await open(url, migrations.slice(0, 2));
  await before.query('create schema if not exists orchestrator');
  await before.runMigrations();
  await before.query(`insert into orchestrator.source values ('src_1', 'wsp_1', 1, 100, false, false)`);
  await before.query(
    `insert into orchestrator.run (id, workspace_id, flight_key, state, attempts_max, pool, user_id, class, source_id, source,
       sql, rows_max, bytes_max, timeout_ms, request_id, traceparent, queue_deadline)
     select 'run_' || n, 'wsp_1', sha256(n::text::bytea), 'QUEUED', 3, 'default', 'usr_1', 1, 'src_1', '\\x',
       'select 1', 10, 1000, 60000, 'req_1', '', now() + interval '1 h'
     from generate_series(1, 3) n`,
  );
  await before.destroy();
  const after = await open(url, migrations);
  await after.runMigrations();
  const waiting = async (): Promise<number[]> => {
    const rows: { queued: number }[] = await after.query('select queued from orchestrator.backlog');
    return rows.map(({ queued }) => queued);
  };
  expect(await waiting()).toEqual([3]);
  await after.query('delete from orchestrator.run');
  expect(await waiting()).toEqual([0]);
  await after.destroy();
});
