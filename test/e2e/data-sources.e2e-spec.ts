import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { errorFields } from '../support/api-types.js';
import {
  createDataSource,
  dataSourceFields,
  deleteDataSource,
  findDataSource,
  newDataSource,
  testDataSource,
  updateDataSource,
  type DataSourcePayload,
} from '../support/data-sources.js';
import { run, runToEnd, sqlInput, tryRun, untilFinal } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const readerOptions = () => ({ ...mesh.access.reader, ssl: { mode: 'disable' } });
const newPostgres = (more: Record<string, unknown> = {}) =>
  newDataSource(mesh.admin, 'postgres', readerOptions(), more);

describe('Types of data sources', () => {
  test('each has a JSON Schema of its options, in which secrets are marked', async () => {
    const { dataSourceTypes } = await mesh.admin.request<{
      dataSourceTypes: {
        name: string;
        title: string;
        optionsSchema: Record<string, unknown>;
        capabilities: string[];
      }[];
    }>('{ dataSourceTypes { name title optionsSchema capabilities } }');
    expect(dataSourceTypes.map(({ name }) => name)).toEqual(expect.arrayContaining(['postgres', 'duckdb']));
    const postgres = dataSourceTypes.find(({ name }) => name === 'postgres');
    expect(postgres?.optionsSchema).toMatchObject({ properties: { password: { writeOnly: true } } });
    expect(postgres?.capabilities).toEqual(expect.arrayContaining(['CANCEL', 'READ_ONLY_TRANSACTION']));
  });
});

describe('The secrets of a data source', () => {
  test('are in no answer, and stay when the options change without them', async () => {
    const { id, version, options } = await newPostgres();
    expect(options).toMatchObject({ host: '127.0.0.1', database: 'flights' });
    const { dataSource, errors } = await updateDataSource(mesh.admin, {
      id,
      version,
      options: { schemas: ['public'] },
    });
    expect(errors).toEqual([]);
    const seen = JSON.stringify([options, dataSource, await findDataSource(mesh.admin, dataSource?.name ?? '')]);
    expect(seen).not.toContain(mesh.access.reader.password);
    expect(await testDataSource(mesh.admin, id)).toMatchObject({ ok: true, errors: [] });
  });

  test('are not sent to another server: who changes the address gives them again', async () => {
    const { id, version } = await newPostgres();
    const moved = await updateDataSource(mesh.admin, { id, version, options: { host: 'evil.example' } });
    expect(moved.errors).toEqual([
      expect.objectContaining({ code: 'INVALID_INPUT', path: ['options', 'password'], retryable: false }),
    ]);
    const { password } = mesh.access.reader;
    const given = await updateDataSource(mesh.admin, { id, version, options: { host: 'localhost', password } });
    expect(given.errors).toEqual([]);
  });

  test('are ciphertext in the database of metadata', async () => {
    await newPostgres();
    const { rows: tables } = await mesh.sluice.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'metadata'",
    );
    expect(tables.length).toBeGreaterThan(0);
    for (const { name } of tables) {
      const { rows } = await mesh.sluice.query<{ count: number }>(
        `select count(*)::int as count from ${name} t where position($1 in t::text) > 0
           or position(encode(convert_to($1, 'UTF8'), 'hex') in t::text) > 0`,
        [mesh.access.reader.password],
      );
      expect([name, rows[0]?.count]).toEqual([name, 0]);
    }
  });
});

describe('Options', () => {
  test.each([
    ['a missing member', { host: 'h', user: 'u' }, ['options', 'database']],
    ['an unknown member', { host: 'h', user: 'u', database: 'd', sslkey: '/etc/passwd' }, ['options', 'sslkey']],
    ['a path as host', { host: '/var/run', user: 'u', database: 'd' }, ['options', 'host']],
    ['a port that is none', { host: 'h', port: 99_999, user: 'u', database: 'd' }, ['options', 'port']],
  ])('with %s are INVALID_INPUT at their place', async (_, options, path) => {
    const { dataSource, errors } = await createDataSource(mesh.admin, {
      name: `s_${randomUUID()}`,
      type: 'postgres',
      options,
    });
    expect(dataSource).toBeNull();
    expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_INPUT', path, retryable: false })]);
  });

  test('of an unknown type are INVALID_INPUT at type', async () => {
    const { errors } = await createDataSource(mesh.admin, { name: 'x', type: 'oracle7', options: {} });
    expect(errors[0]).toMatchObject({ code: 'INVALID_INPUT', path: ['type'] });
  });

  test('given members replace the old ones, null removes one', async () => {
    const { id, version } = await newDataSource(mesh.admin, 'postgres', {
      host: 'one.example',
      database: 'd',
      user: 'u',
      schemas: ['a'],
    });
    const changed = await updateDataSource(mesh.admin, {
      id,
      version,
      options: { host: 'two.example', schemas: null },
    });
    expect(changed.errors).toEqual([]);
    expect(changed.dataSource?.options).toMatchObject({ host: 'two.example', database: 'd' });
    expect(changed.dataSource?.options).not.toHaveProperty('schemas');
  });
});

describe('The files of a DuckDB source', () => {
  test('are none of the machine’s own: only what the operator has opened can be read', async () => {
    const { id } = await newDataSource(mesh.admin, 'duckdb', { tables: { p: { csv: '/etc/passwd' } } });
    expect((await testDataSource(mesh.admin, id)).errors[0]).toMatchObject({ code: 'DATA_SOURCE_UNAVAILABLE' });
    const { state, error } = await runToEnd(mesh.admin, id, unique('select * from p'));
    expect([state, error?.code]).toEqual(['FAILED', 'DATA_SOURCE_UNAVAILABLE']);
  });
});

describe('Changing a data source', () => {
  test('a name that is taken is CONFLICT at name, with the source that has it', async () => {
    const { id, name } = await newPostgres();
    const taken = await createDataSource(mesh.admin, { name, type: 'postgres', options: readerOptions() });
    expect(taken.errors[0]).toMatchObject({ code: 'CONFLICT', path: ['name'] });
    expect(taken.dataSource).toMatchObject({ id });
  });

  test('another writer’s change since is CONFLICT with the source as it is now', async () => {
    const { id, version } = await newPostgres();
    await updateDataSource(mesh.admin, { id, version, maxConcurrentExecutions: 3 });
    const late = await updateDataSource(mesh.admin, { id, version, maxConcurrentExecutions: 7 });
    expect(late.errors[0]).toMatchObject({ code: 'CONFLICT' });
    expect(late.dataSource).toMatchObject({ id, version: version + 1, maxConcurrentExecutions: 3 });
  });

  test('one that is not there is NOT_FOUND, on update, delete, test and refresh alike', async () => {
    const id = 'src_00000000000000000000000000';
    expect((await updateDataSource(mesh.admin, { id, version: 1, name: 'n' })).errors[0]?.code).toBe('NOT_FOUND');
    expect((await deleteDataSource(mesh.admin, id)).errors[0]?.code).toBe('NOT_FOUND');
    expect((await testDataSource(mesh.admin, id)).errors[0]?.code).toBe('NOT_FOUND');
  });

  test('a paused source takes no question, one that waits ends, and it runs again when it goes on', async () => {
    const { id, version } = await newPostgres({ maxConcurrentExecutions: 1 });
    const paused = await updateDataSource(mesh.admin, { id, version, paused: true });
    const refused = await tryRun(mesh.admin, sqlInput(id, unique('select 1 as one')));
    expect(refused.execution).toBeNull();
    expect(refused.errors[0]).toMatchObject({ code: 'DATA_SOURCE_UNAVAILABLE' });
    await updateDataSource(mesh.admin, { id, version: paused.dataSource?.version, paused: false });
    await expect.poll(async () => (await runToEnd(mesh.admin, id, unique('select 1 as one'))).state).toBe('SUCCEEDED');
  });

  test('a deleted source is gone from the list and takes no question; what it had answered stays readable', async () => {
    const { id, name } = await newPostgres();
    const answered = await runToEnd(mesh.admin, id, unique('select 1 as one'));
    expect((await deleteDataSource(mesh.admin, id)).deletedId).toBe(id);
    await expect(findDataSource(mesh.admin, name)).rejects.toThrow('no data source');
    expect((await tryRun(mesh.admin, sqlInput(id, 'select 1'))).errors[0]).toMatchObject({ code: 'NOT_FOUND' });
    const { execution } = await mesh.admin.request<{ execution: { state: string; dataSource: null } }>(
      'query ($id: ID!) { execution(id: $id) { state dataSource { id } } }',
      { id: answered.id },
    );
    expect(execution).toEqual({ state: 'SUCCEEDED', dataSource: null });
  });

  test('no more run at a source than it allows; the next waits with its place in the queue', async () => {
    const { id } = await newPostgres({ maxConcurrentExecutions: 1 });
    const [one, two] = [endlessQuery(), endlessQuery()];
    const limits = { timeoutSeconds: 3 };
    const first = await run(mesh.admin, id, one.text, { limits });
    await expect.poll(async () => (await queueOf(first.id)).state).toBe('RUNNING');
    const second = await run(mesh.admin, id, two.text, { limits });
    expect(await queueOf(second.id)).toEqual({ state: 'QUEUED', queuePosition: 1 });
    expect(await queueOf(first.id)).toEqual({ state: 'RUNNING', queuePosition: null });
    expect((await untilFinal(mesh.admin, second.id)).state).toBe('TIMED_OUT');
  });
});

async function queueOf(id: string): Promise<{ state: string; queuePosition: number | null }> {
  const { execution } = await mesh.admin.request<{ execution: { state: string; queuePosition: number | null } }>(
    'query ($id: ID!) { execution(id: $id) { state queuePosition } }',
    { id },
  );
  return execution;
}

describe('Testing a source', () => {
  test('tells how long it took and what it is', async () => {
    const { id } = await newPostgres();
    const tested = await testDataSource(mesh.admin, id);
    expect(tested).toMatchObject({ ok: true, errors: [] });
    expect(tested.latencyMs).toBeGreaterThan(0);
    expect(tested.serverVersion).toMatch(/\d/);
  });

  test.each([
    ['a wrong password', { password: 'wrong-password-here' }],
    ['a closed port', { port: 1 }],
    ['an unknown database', { database: 'nowhere' }],
  ])('with %s answers DATA_SOURCE_UNAVAILABLE, without the secret', async (_, change) => {
    const { id } = await newDataSource(mesh.admin, 'postgres', { ...readerOptions(), ...change });
    const tested = await testDataSource(mesh.admin, id);
    expect(tested).toMatchObject({ ok: false, errors: [{ code: 'DATA_SOURCE_UNAVAILABLE' }] });
    expect(JSON.stringify(tested)).not.toContain('wrong-password-here');
  });
});

describe('The schema of a source', () => {
  test.each(['flights', 'flights_pg'] as const)('%s: tables and columns as the source has them', async (name) => {
    const { id } = await mesh.source(name);
    const { refreshDataSourceSchema } = await mesh.admin.request<{ refreshDataSourceSchema: DataSourcePayload }>(
      `mutation ($id: ID!) { refreshDataSourceSchema(id: $id) { dataSource { ${dataSourceFields} } ${errorFields} } }`,
      { id },
    );
    expect(refreshDataSourceSchema.errors).toEqual([]);
    expect(refreshDataSourceSchema.dataSource?.schemaRefreshedAt).not.toBeNull();
    const { node } = await mesh.admin.request<{
      node: { tables: { nodes: { name: string; columns: { name: string; type: string }[] }[] } };
    }>(
      `query ($id: ID!) { node(id: $id) { ... on DataSource {
         tables(first: 100) { nodes { name columns { name type sourceType nullable } } totalCount } } } }`,
      { id },
    );
    const flights = node.tables.nodes.find((table) => table.name === 'flights');
    expect(flights?.columns.map((column) => [column.name, column.type])).toEqual([
      ['date', 'TIMESTAMP'],
      ['delay', expect.stringMatching(/INTEGER|BIGINT/)],
      ['distance', expect.stringMatching(/INTEGER|BIGINT/)],
      ['origin', 'TEXT'],
      ['destination', 'TEXT'],
    ]);
    expect(node.tables.nodes.map((table) => table.name)).toContain('airports');
  });
});
