import pg from 'pg';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startPostgres, startRedis } from './index.js';

it('gives a PostgreSQL with databases of their own', async () => {
  await using server = await startPostgres();
  const client = new pg.Client({ connectionString: await server.createDatabase() });
  await client.connect();
  const { rows } = await client.query<{ version: string }>('select version()');
  expect(rows[0]?.version).toContain('PostgreSQL 18');
  await client.end();
});

it('gives a Redis that can be killed and comes back on the same port', async () => {
  await using server = await startRedis({ appendonly: true });
  const client = new Redis(server.url, { retryStrategy: () => 20 });
  client.on('error', () => undefined);
  await client.set('a', '1');
  await client.config('SET', 'appendfsync', 'always');
  await client.set('b', '2');
  await server.restart();
  expect(await client.get('b')).toBe('2');
  client.disconnect();
});
