import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { newDataSource, updateDataSource } from '../support/data-sources.js';
import { runQueryDocument, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { untilQuiet } from '../support/source-activity.js';
import { expiredToken } from '../support/tokens.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());
// Whatever came in, nothing may go on behind it.
afterEach(() => untilQuiet(mesh));

const sources = { flights: '', flights_pg: '' };
beforeAll(async () => {
  sources.flights = (await mesh.source('flights')).id;
  sources.flights_pg = (await mesh.source('flights_pg')).id;
});

const textPath = ['query', 'sql', 'text'];
const refusedSql = { code: expect.stringMatching(/^SQL_/), path: textPath };
const readerOptions = () => ({ ...mesh.access.reader, ssl: { mode: 'disable' } });

/** Refused at once: no execution, one error that says what is wrong and where. */
async function expectRefused(
  input: Record<string, unknown>,
  code: RegExp,
  path: readonly string[],
  deadlineMs = 2_000,
): Promise<void> {
  const begun = performance.now();
  const { execution, errors } = await tryRun(mesh.admin, { waitSeconds: 10, ...input });
  expect(performance.now() - begun).toBeLessThan(deadlineMs);
  expect(execution).toBeNull();
  expect(errors).toEqual([
    {
      code: expect.stringMatching(code),
      message: expect.stringMatching(/\w{3}/),
      path,
      retryable: expect.any(Boolean),
    },
  ]);
}

describe.each(['flights_pg', 'flights'] as const)('SQL that is not one plain question, to %s', (name) => {
  test.each([
    ['two statements', 'select 1; select 2'],
    ['two statements, the second hidden behind a comment', 'select 1; -- quiet\n delete from flights'],
    ['a DELETE', 'delete from flights'],
    ['an INSERT', 'insert into flights select * from flights'],
    ['an UPDATE', "update flights set origin = 'X'"],
    ['a DROP', 'drop table flights'],
    ['a CREATE TABLE AS', 'create table t as select 1'],
    ['a COPY', "copy flights to '/tmp/flights'"],
    ['a SET', 'set search_path = x'],
    ['a BEGIN', 'begin'],
    ['a PREPARE', 'prepare p as select 1'],
  ])('%s is SQL_NOT_READ_ONLY', (_, sql) =>
    expectRefused(sqlInput(sources[name], sql), /^SQL_NOT_READ_ONLY$/, textPath),
  );

  test.each([
    ['malformed', 'selec 1 form'],
    ['an open quote', "select 'abc"],
    ['only a comment', '-- nothing'],
    ['blank', '   \n '],
  ])('%s text is refused at its place', (_, sql) =>
    expectRefused(sqlInput(sources[name], sql), /^(SQL_REJECTED|SQL_NOT_READ_ONLY|INVALID_INPUT)$/, textPath),
  );
});

describe('SQL that would change or leave PostgreSQL by a side door', () => {
  test.each([
    ['DML in a CTE', 'with gone as (delete from flights returning *) select * from gone'],
    [
      'DML in a nested CTE',
      'select * from (with x as (insert into flights default values returning 1) select * from x) y',
    ],
    ['SELECT INTO', 'select 1 as one into elsewhere'],
    ['FOR UPDATE', 'select * from flights limit 1 for update'],
    ['FOR SHARE in a subquery', 'select * from (select * from flights limit 1 for share) x'],
    ['EXPLAIN ANALYZE of a DELETE', 'explain analyze delete from flights'],
    ['set_config', "select set_config('statement_timeout', '0', true)"],
    ['set_config quoted', `select "set_config"('role', 'postgres', true)`],
    ['set_config qualified', "select pg_catalog.set_config('role', 'postgres', true)"],
    ['set_config in escapes', `select U&"s\\0065t_config"('role', 'postgres', true)`],
    ['SQL in a string', "select query_to_xml('select set_config(''role'', ''postgres'', true)', true, false, '')"],
    ['SQL in a string of ts_stat', "select * from ts_stat('select 1')"],
    ['a server file', "select pg_read_file('/etc/passwd')"],
    ['a directory', "select pg_ls_dir('/')"],
    ['a large object', "select lo_import('/etc/passwd')"],
    ['a sleep', 'select pg_sleep(100)'],
    ['a lock', 'select pg_advisory_lock(1)'],
    ['a signal', 'select pg_terminate_backend(1)'],
    ['a notification', "select pg_notify('a', 'b')"],
    ['a sequence', "select nextval('s')"],
    ['dblink', "select * from dblink('dbname=postgres', 'select 1') as t(a int)"],
  ])('%s is refused before it is sent', (_, sql) =>
    expectRefused(sqlInput(sources.flights_pg, sql), /^SQL_(NOT_READ_ONLY|REJECTED)$/, textPath),
  );
});

describe('SQL that would read the machine by way of DuckDB', () => {
  test.each([
    ['a file as a table', "select * from '/etc/passwd'"],
    ['read_text', "select * from read_text('/etc/passwd')"],
    ['read_csv', "select * from read_csv('/etc/passwd')"],
    ['glob', "select * from glob('/*')"],
    ['ATTACH', "attach '/tmp/x.db'"],
    ['INSTALL', 'install httpfs'],
    ['PRAGMA', 'pragma database_list'],
    ['a setting', "select current_setting('memory_limit')"],
    ['the secrets', 'select * from duckdb_secrets()'],
  ])('%s is refused, or fails without an answer', async (_, sql) => {
    const { execution, errors } = await tryRun(mesh.admin, sqlInput(sources.flights, sql, { waitSeconds: 10 }));
    expect(execution ?? errors[0]).toMatchObject(execution ? { state: 'FAILED', result: null } : refusedSql);
  });
});

describe('Input', () => {
  test('an unknown source is NOT_FOUND at its place', () =>
    expectRefused(sqlInput('src_00000000000000000000000000', 'select 1'), /^NOT_FOUND$/, [
      'query',
      'sql',
      'dataSourceId',
    ]));

  test.each(['', 'flights', 'exe_00000000000000000000000000', '../../etc/passwd', "' or 1=1 --"])(
    'a source id such as %j is NOT_FOUND or INVALID_INPUT at its place',
    (id) => expectRefused(sqlInput(id, 'select 1'), /^(NOT_FOUND|INVALID_INPUT)$/, ['query', 'sql', 'dataSourceId']),
  );

  test('an unknown saved query is NOT_FOUND at its place', () =>
    expectRefused({ query: { savedQuery: { id: 'qry_00000000000000000000000000' } } }, /^NOT_FOUND$/, [
      'query',
      'savedQuery',
      'id',
    ]));

  test('an oversized text is INVALID_INPUT at its place', () =>
    expectRefused(sqlInput(sources.flights, `select '${'x'.repeat(300_000)}'`), /^INVALID_INPUT$/, textPath));

  test('an idempotency key that is too long is INVALID_INPUT at its place', () =>
    expectRefused(sqlInput(sources.flights, 'select 1', { idempotencyKey: 'k'.repeat(10_000) }), /^INVALID_INPUT$/, [
      'idempotencyKey',
    ]));

  test.each([
    ['neither sql nor savedQuery', {}],
    ['both sql and savedQuery', { sql: { dataSourceId: 'x', text: 'select 1' }, savedQuery: { id: 'y' } }],
    ['a number as text', { sql: { dataSourceId: 'x', text: 1 } }],
    ['a null text', { sql: { dataSourceId: 'x', text: null } }],
    ['an unknown member', { sql: { dataSourceId: 'x', text: 'select 1', script: 'x' } }],
  ])('%s: INVALID_INPUT before anything runs', async (_, query) => {
    const { data, errors, status } = await mesh.admin.send<{ runQuery: unknown }>(runQueryDocument, {
      input: { query },
    });
    expect(data?.runQuery ?? null).toBeNull();
    expect(status).toBeLessThan(500);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT', retryable: false });
  });

  test('text with a NUL byte is refused', () =>
    expectRefused(sqlInput(sources.flights_pg, 'select \u0000 1'), /^(SQL_REJECTED|INVALID_INPUT)$/, textPath));
});

describe('A source that does not answer', () => {
  let blackHole: Server;
  const held = new Set<Socket>();
  beforeAll(async () => {
    blackHole = createServer((socket) => held.add(socket));
    await new Promise<void>((resolve) => blackHole.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    for (const socket of held) socket.destroy();
    blackHole.close();
  });

  const fails = async (change: Record<string, unknown>, deadlineMs: number): Promise<string | undefined> => {
    const { id } = await newDataSource(mesh.admin, 'postgres', { ...readerOptions(), ...change });
    const begun = performance.now();
    const execution = await runToEnd(mesh.admin, id, unique('select 1'), { limits: { timeoutSeconds: 20 } });
    expect(performance.now() - begun).toBeLessThan(deadlineMs);
    expect(execution).toMatchObject({
      state: 'FAILED',
      result: null,
      error: { message: expect.stringMatching(/\w{3}/) },
    });
    expect(JSON.stringify(execution)).not.toContain('a-wrong-password');
    return execution.error?.code;
  };

  test('because its port is closed ends as DATA_SOURCE_UNAVAILABLE', async () => {
    expect(await fails({ port: 1 }, 15_000)).toBe('DATA_SOURCE_UNAVAILABLE');
  });

  test('because the password in its options is wrong ends as DATA_SOURCE_UNAVAILABLE, without the password', async () => {
    expect(await fails({ password: 'a-wrong-password' }, 15_000)).toBe('DATA_SOURCE_UNAVAILABLE');
  });

  test('because it takes the connection and then says nothing ends within its deadline', async () => {
    // Listening on TCP, so the address is not a pipe's name.
    const { port } = blackHole.address() as AddressInfo;
    expect(await fails({ port }, 45_000)).toMatch(/DATA_SOURCE_UNAVAILABLE|TIMED_OUT/);
  });

  test('because it is paused is refused at its place', async () => {
    const { id, version } = await newDataSource(mesh.admin, 'postgres', readerOptions());
    await updateDataSource(mesh.admin, { id, version, paused: true });
    await expectRefused(sqlInput(id, 'select 1'), /^DATA_SOURCE_UNAVAILABLE$/, ['query', 'sql', 'dataSourceId']);
  });
});

describe('A question that fails at the source', () => {
  test.each([
    ['an unknown table', 'select * from no_such_table', '42P01'],
    ['an unknown column', 'select no_such_column from flights', '42703'],
    ['a division by zero', 'select 1 / 0', '22012'],
    ['a table that the role may not read', 'select * from pg_authid', '42501'],
  ])('%s: FAILED with QUERY_FAILED and the source’s code, not to be repeated', async (_, sql, sourceCode) => {
    const { execution, errors } = await tryRun(
      mesh.admin,
      sqlInput(sources.flights_pg, unique(sql), { waitSeconds: 10 }),
    );
    // The proof may know already that the role's question is about what nobody may ask.
    expect(execution ?? errors[0]).toMatchObject(
      execution ? { state: 'FAILED', error: { code: 'QUERY_FAILED', sourceCode, retryable: false } } : refusedSql,
    );
  });

  test('a failure behind the first rows keeps the rows that were told, as PARTIAL', async () => {
    const text = unique('select 1 / (60000 - i) as n from generate_series(1, 100000) t(i)');
    const execution = await runToEnd(mesh.admin, sources.flights_pg, text);
    expect(execution).toMatchObject({ state: 'FAILED', error: { sourceCode: '22012' } });
    expect([undefined, 'PARTIAL']).toContain(execution.result?.state);
  });
});

describe('A caller who may not', () => {
  test('an expired token is UNAUTHENTICATED, and nothing runs', async () => {
    const client = mesh.anonymous.as(await expiredToken(mesh, await mesh.signInAdmin()));
    const { data, errors } = await client.send<{ runQuery: unknown }>(runQueryDocument, {
      input: sqlInput(sources.flights, unique('select 1')),
    });
    expect(data?.runQuery ?? null).toBeNull();
    expect(errors[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
  });
});
