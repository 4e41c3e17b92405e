import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import type { Execution } from '../support/api-types.js';
import { newDataSource } from '../support/data-sources.js';
import { getExecution, readAllRows, runToEnd, sqlInput, tryRun, untilFinal } from '../support/executions.js';
import { newApiKey, newPerson, signedIn, updateUser, type Person } from '../support/people.js';
import { createRowPolicy, deleteRowPolicy, newRowPolicy, updateRowPolicy } from '../support/row-policies.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

type Kind = 'duckdb' | 'postgres';

/** A source of its own, as policies hold for everyone who asks it. */
async function newSource(kind: Kind): Promise<string> {
  const flights = await mesh.source('flights');
  const options = kind === 'duckdb' ? (flights.options ?? {}) : { ...mesh.access.reader };
  return (await newDataSource(mesh.admin, kind, options)).id;
}

const personOf = (state?: string, groupNames: string[] = []): Promise<Person> =>
  newPerson(mesh.admin, 'analyst', { groupNames, ...(state === undefined ? {} : { attributes: { state } }) });

async function answer(client: ApiClient, sourceId: string, text: string, options = {}): Promise<unknown[][]> {
  const execution = await runToEnd(client, sourceId, text, options);
  expect([execution.state, execution.error?.message]).toEqual(['SUCCEEDED', undefined]);
  return readAllRows(client, execution.id);
}

const statusOf = async (client: ApiClient, { id }: Pick<Execution, 'id'>): Promise<string> =>
  (await getExecution(client, id)).cache.status;

const readerMessage = 'This statement cannot be run under the row policies of its data source.';
const byState = 'state = {{ user.state }}';

describe.each(['postgres', 'duckdb'] as const)('A row policy of a %s source', (kind) => {
  let sourceId = '';
  let texan: Person;
  let alaskan: Person;
  let nobody: Person;
  let chief: Person;
  beforeAll(async () => {
    sourceId = await newSource(kind);
    [texan, alaskan, nobody, chief] = await Promise.all([
      personOf('TX'),
      personOf('AK'),
      personOf(),
      personOf(undefined, [`chiefs of ${kind}`]),
    ]);
    await newRowPolicy(mesh.admin, sourceId, byState, {
      table: { name: 'airports' },
      exemptGroupNames: [`chiefs of ${kind}`],
    });
  });

  test.each([
    ['plain', 'select distinct state from airports'],
    ['in a subquery', 'select distinct s.state from (select * from airports) as s'],
    ['in a common table expression', 'with a as (select state from airports) select distinct state from a'],
    ['under another name', 'select distinct b.state from airports as b where true or b.iata is null'],
    ['joined', 'select distinct b.state from airports as a join airports as b on a.iata <> b.iata'],
    ['in a union', 'select state from airports union select state from airports'],
    ['by its schema', `select distinct a.state from ${kind === 'postgres' ? 'public' : 'main'}.airports a`],
  ])('shows people their own rows alone: %s', async (_how, text) => {
    expect(await answer(texan.client, sourceId, text)).toEqual([['TX']]);
    expect(await answer(alaskan.client, sourceId, text)).toEqual([['AK']]);
    expect(await answer(nobody.client, sourceId, text)).toEqual([]);
  });

  test('gives nobody the kept, shared or stale answer of another', async () => {
    const text = unique('select count(*) as airports, min(state) as state from airports');
    const [ofTexan] = await answer(texan.client, sourceId, text);
    const [ofAlaskan] = await answer(alaskan.client, sourceId, text);
    expect([ofTexan?.[1], ofAlaskan?.[1]]).toEqual(['TX', 'AK']);
    const again = await runToEnd(texan.client, sourceId, text);
    expect(await statusOf(texan.client, again)).toBe('HIT');
    expect(await readAllRows(texan.client, again.id)).toEqual([ofTexan]);
    const stale = { cache: { maxAgeSeconds: 1, staleWhileRevalidateSeconds: 600 } };
    await wait(1_100);
    const aged = await runToEnd(texan.client, sourceId, text, stale);
    expect(await statusOf(texan.client, aged)).toBe('STALE');
    expect(await readAllRows(texan.client, aged.id)).toEqual([ofTexan]);
    for (const options of [stale, stale, { cache: { maxAgeSeconds: 0 } }]) {
      const [one, other] = await Promise.all([
        answer(texan.client, sourceId, text, options),
        answer(alaskan.client, sourceId, text, options),
      ]);
      expect([one, other]).toEqual([[ofTexan], [ofAlaskan]]);
    }
    // Another's execution is not there for who may read one's own alone.
    const { node } = await alaskan.client.request<{ node: unknown }>('query ($id: ID!) { node(id: $id) { id } }', {
      id: again.id,
    });
    expect(node).toBeNull();
  });

  test('shares one run between people who may see the same', async () => {
    const text = unique('select count(*) as airports from airports');
    const other = await personOf('TX');
    await runToEnd(texan.client, sourceId, text);
    expect(await statusOf(other.client, await runToEnd(other.client, sourceId, text))).toBe('HIT');
  });

  test('lets exempt groups see everything, and is not theirs to read', async () => {
    const [[states] = []] = await answer(chief.client, sourceId, 'select count(distinct state) from airports');
    expect(Number(states)).toBeGreaterThan(40);
    expect(
      (await createRowPolicy(chief.client, { name: 'x', dataSourceId: sourceId, predicate: 'true' })).errors,
    ).toEqual([expect.objectContaining({ code: 'FORBIDDEN' })]);
  });

  test('tells its text to those alone who may read policies', async () => {
    const { id } = await runToEnd(texan.client, sourceId, unique('select state from airports'));
    const sqlOf = async (client: ApiClient): Promise<string | null | undefined> =>
      (
        await client.request<{ execution: { sql: string | null } | null }>(
          'query ($id: ID!) { execution(id: $id) { sql } }',
          { id },
        )
      ).execution?.sql;
    expect(await sqlOf(texan.client)).toBeNull();
    expect(await sqlOf(mesh.admin)).toContain('state');
  });

  test('goes for an API key by the attributes of its maker', async () => {
    const key = await newApiKey(texan.client);
    expect(await answer(key.client, sourceId, 'select distinct state from airports')).toEqual([['TX']]);
  });

  test('follows a change of attributes, and tokens from before it are refused', async () => {
    const mover = await personOf('TX');
    const text = 'select distinct state from airports';
    expect(await answer(mover.client, sourceId, text)).toEqual([['TX']]);
    const { id, version } = mover.user;
    const { errors } = await updateUser(mesh.admin, { id, version, attributes: { state: 'CA' } });
    expect(errors).toEqual([]);
    const again = await signedIn(mesh.anonymous, mover);
    expect(await answer(again, sourceId, text)).toEqual([['CA']]);
    await until(
      () =>
        mover.client.request('{ viewer { id } }').then(
          () => false,
          () => true,
        ),
      {
        timeoutMs: 10_000,
        what: 'the end of an older token',
      },
    );
  });

  test.each([
    'select * from nowhere_at_all',
    kind === 'postgres' ? 'select * from information_schema.views' : 'select * from airports_of_nowhere',
    'select sluice_row.* from airports as sluice_row',
    ...(kind === 'postgres'
      ? [
          "select reltuples from pg_class where relname = 'airports'",
          "select pg_total_relation_size('airports')",
          "select pg_get_indexdef('airports'::regclass)",
        ]
      : []),
  ])('refuses what it cannot be put into, in the same words for everyone: %s', async (text) => {
    for (const { client } of [texan, nobody]) {
      const { execution, errors } = await tryRun(client, sqlInput(sourceId, text, { waitSeconds: 20 }));
      expect(execution).toBeNull();
      expect(errors).toMatchObject([{ code: 'SQL_REJECTED', message: readerMessage }]);
    }
  });

  test('that is made, changed or deleted while answers are kept holds at once', async () => {
    const ownSource = await newSource(kind);
    const text = "select distinct state from airports where state in ('TX', 'AK') order by state";
    const states = async (): Promise<unknown[]> => (await answer(texan.client, ownSource, text)).flat();
    expect(await states()).toEqual(['AK', 'TX']);
    expect(await states()).toEqual(['AK', 'TX']);
    const { id, version } = await newRowPolicy(mesh.admin, ownSource, byState);
    expect(await states()).toEqual(['TX']);
    const changed = await updateRowPolicy(mesh.admin, { id, version, predicate: 'state <> {{ user.state }}' });
    expect(changed.errors).toEqual([]);
    expect(await states()).toEqual(['AK']);
    await deleteRowPolicy(mesh.admin, id);
    expect(await states()).toEqual(['AK', 'TX']);
  });

  test('masks columns, which can be neither read nor searched', async () => {
    const ownSource = await newSource(kind);
    await newRowPolicy(mesh.admin, ownSource, 'true', {
      table: { name: 'airports' },
      masks: [
        { column: 'name', kind: 'HASH' },
        { column: 'city', kind: 'NULL' },
        { column: 'country', kind: 'FIXED', value: 'somewhere' },
      ],
    });
    const rows = await answer(texan.client, ownSource, "select name, city, country from airports where iata = 'ORD'");
    expect(rows).toEqual([[expect.stringMatching(/^[0-9a-f]{64}$/), null, 'somewhere']]);
    expect(await answer(texan.client, ownSource, "select 1 from airports where city = 'Chicago'")).toEqual([]);
    const twice = 'select count(*) from airports a join airports b using (iata) where a.name = b.name';
    expect(Number((await answer(texan.client, ownSource, twice))[0]?.[0])).toBeGreaterThan(1_000);
  });

  test('tells its author what is wrong with it, when it is made and when it is changed', async () => {
    const input = { name: 'Wrong', dataSourceId: sourceId, table: { name: 'airports' }, predicate: 'stat = 1' };
    const made = await createRowPolicy(mesh.admin, input);
    expect(made).toMatchObject({ rowPolicy: null, errors: [{ code: 'SQL_REJECTED', path: ['predicate'] }] });
    expect(made.errors[0]?.message).toContain('stat');
    const { id, version } = await newRowPolicy(mesh.admin, sourceId, byState, { enabled: false });
    const changed = await updateRowPolicy(mesh.admin, { id, version, predicate: 'state in (select 1)' });
    expect(changed.errors).toMatchObject([{ code: 'SQL_REJECTED', path: ['predicate'] }]);
  });
});

test.each(['select estimated_size from duckdb_tables()', 'summarize airports', 'select * from pg_class'])(
  'A DuckDB source with a row policy tells no counts of hidden rows: %s',
  async (text) => {
    const sourceId = await newSource('duckdb');
    await newRowPolicy(mesh.admin, sourceId, byState, { table: { name: 'airports' } });
    const { client } = await personOf('TX');
    const { execution, errors } = await tryRun(client, sqlInput(sourceId, text, { waitSeconds: 20 }));
    expect(execution).toBeNull();
    expect(errors).toMatchObject([{ code: 'SQL_NOT_READ_ONLY' }]);
  },
);

describe('A PostgreSQL source with a row policy', () => {
  let sourceId = '';
  let texan: Person;
  beforeAll(async () => {
    [sourceId, texan] = await Promise.all([newSource('postgres'), personOf('TX')]);
    await newRowPolicy(mesh.admin, sourceId, byState, { table: { name: 'airports' } });
  });

  test.each([
    "with x as (select set_config('app.uid', 'bob', true)) select a.* from airports a, x",
    `select U&"s\\0065t_config"('role', 'postgres', false)`,
    `select pg_catalog."set_config"('statement_timeout', '0', true)`,
    "select query_to_xml('select * from airports', true, true, '')",
    "select * from ts_stat('select to_tsvector(state) from airports')",
    "select table_to_xml('airports', true, true, '')",
    'do $$ begin perform 1; end $$',
    "set local app.uid = 'bob'",
    'set role postgres',
    "select set_config('role', 'postgres', true)",
    "update pg_settings set setting = 'postgres' where name = 'role'",
    "select query_to_xml('select set_config(''app.uid'', ''bob'', true)', true, true, '')",
    "select * from ts_stat('select to_tsvector(set_config(''app.uid'', ''bob'', true))')",
    "select ts_rewrite('a'::tsquery, 'select keyword, sample from aliases')",
    "select cursor_to_xml('c', 1, true, true, '')",
    "select schema_to_xml('public', true, true, '')",
    "select database_to_xml(true, true, '')",
    "select lo_import('/etc/passwd')",
    "select nextval('a')",
    'select txid_current()',
    'select pg_terminate_backend(1)',
    "select pg_notify('a', 'b')",
    'reset role',
    'select pg_advisory_lock(1)',
    'select pg_try_advisory_xact_lock(1)',
    'select pg_sleep(1)',
    "select pg_read_file('/etc/passwd')",
    "select current_setting('app.uid') ; select 1",
    'explain analyze select * from airports',
    'select * from airports for update',
  ])('refuses the attack %s', async (text) => {
    const { execution, errors } = await tryRun(texan.client, sqlInput(sourceId, text, { waitSeconds: 20 }));
    expect(execution).toBeNull();
    expect(['SQL_NOT_READ_ONLY', 'SQL_REJECTED']).toContain(errors[0]?.code);
  });

  test('refuses a view that was made to show what the policy hides, also before its schema is read again', async () => {
    const { warehouse } = mesh;
    const { user } = mesh.access.reader;
    await warehouse.query(`create or replace view airports_seen as select * from airports`);
    await warehouse.query(`grant select on airports_seen to "${user}"`);
    try {
      const fresh = await newSource('postgres');
      await newRowPolicy(mesh.admin, fresh, byState, { table: { name: 'airports' } });
      for (const source of [sourceId, fresh]) {
        const { execution, errors } = await tryRun(texan.client, sqlInput(source, 'select * from airports_seen'));
        const ended = execution && (await untilFinal(texan.client, execution.id));
        const told = ended ? ended.error : errors[0];
        expect(told).toMatchObject({ code: 'SQL_REJECTED', message: readerMessage });
      }
    } finally {
      await warehouse.query('drop view airports_seen');
    }
  });
});
