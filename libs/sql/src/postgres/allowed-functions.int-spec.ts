import { resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { wordListSource } from '../word-list-source.js';
import { curateFunctions, type CatalogFunction } from './function-rules.js';

/** Every function of the server's own schema, an overload a row. */
const catalogQuery = `
  select p.proname as name, p.provolatile as volatility,
         (select array_agg(t.typname::text)
            from unnest(p.proargtypes::oid[] || p.prorettype) as used(oid) join pg_type t on t.oid = used.oid) as types
    from pg_proc p
   where p.pronamespace = 'pg_catalog'::regnamespace`;

describe('the list of allowed functions', () => {
  let server: PostgresServer;
  let functions: CatalogFunction[];

  beforeAll(async () => {
    server = await startPostgres();
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    functions = (await client.query<CatalogFunction>(catalogQuery)).rows;
    await client.end();
  });
  afterAll(() => server.stop());

  it('is what the rules make of the catalog of PostgreSQL 18; `vitest run -u` writes it anew', async () => {
    const source = wordListSource(
      'allowedFunctions',
      'Made from pg_proc of PostgreSQL 18 by function-rules.ts; allowed-functions.int-spec.ts keeps it so.',
      curateFunctions(functions),
    );
    await expect(source).toMatchFileSnapshot(resolve(import.meta.dirname, 'allowed-functions.ts'));
  });

  it('holds no function that is volatile but for those that are named one by one', () => {
    const allowed = new Set(curateFunctions(functions));
    const volatile = functions.filter(({ volatility, name }) => volatility === 'v' && allowed.has(name));
    expect([...new Set(volatile.map(({ name }) => name))].sort()).toEqual([
      'array_sample',
      'array_shuffle',
      'clock_timestamp',
      'gen_random_uuid',
      'pg_indexes_size',
      'pg_relation_size',
      'pg_table_size',
      'pg_total_relation_size',
      'random',
      'random_normal',
      'timeofday',
      'uuidv4',
      'uuidv7',
    ]);
  });
});
