import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '#libs/testing';
import { connectorLimits, PostgresSuite, rowsOf } from '../../test/postgres-suite.js';
import { PostgresConnector } from './postgres-connector.js';

let postgres: PostgresSuite;
beforeAll(async () => {
  postgres = await PostgresSuite.start();
});
beforeEach(() => postgres.renewConnector());
afterAll(() => postgres.stop());

// The parallel workers of a statement have its session's name too.
const activeOf = async (name: string): Promise<number> => {
  const { rowCount } = await postgres.admin.query(
    "select from pg_stat_activity where application_name = $1 and state = 'active' and backend_type = 'client backend'",
    [name],
  );
  return rowCount ?? 0;
};

describe('a connection that goes from one run to the next', () => {
  it('is the same one, and holds nothing of the run before', async () => {
    const first = await postgres.open();
    const pid = first.handle.values['backendPid'];
    // What the proof refuses is done here all the same, to see that the second line holds.
    await rowsOf(
      first,
      `select set_config('statement_timeout', '0', false), set_config('app.uid', 'bob', false),
      pg_advisory_lock(7), setseed(0.5), set_config('search_path', 'nowhere', false)`,
    );
    await first.close();
    const second = await postgres.open();
    expect(second.handle.values['backendPid']).toBe(pid);
    expect(
      await rowsOf(
        second,
        `select current_setting('statement_timeout'), current_setting('app.uid', true),
      current_setting('search_path'), current_setting('application_name'),
      (select count(*) from pg_locks where locktype = 'advisory')`,
      ),
    ).toEqual([['30s', '', 'public, pg_temp', postgres.sessionName, '0']]);
    await second.close();
  });

  it('is used again after a statement that the source refused', async () => {
    const first = await postgres.open();
    await expect(first.query('select nosuch')).rejects.toThrow();
    await first.close();
    const second = await postgres.open();
    expect(second.handle.values['backendPid']).toBe(first.handle.values['backendPid']);
    await second.close();
  });

  it('is not used again after a cancel, nor with rows unread', async () => {
    const first = await postgres.open();
    await (await first.query('select * from numbers')).next();
    await first.close();
    const second = await postgres.open();
    expect(second.handle.values['backendPid']).not.toBe(first.handle.values['backendPid']);
    await second.cancel();
    await second.close();
    const third = await postgres.open();
    expect(third.handle.values['backendPid']).not.toBe(second.handle.values['backendPid']);
    await third.close();
    await until(async () => (await postgres.sessionsNamed(postgres.sessionName)) === 0);
  });

  it('is replaced unnoticed where it died while it waited', async () => {
    const first = await postgres.open();
    await first.close();
    await postgres.admin.query('select pg_terminate_backend($1)', [first.handle.values['backendPid']]);
    expect(await postgres.answer('select 1')).toEqual([[1]]);
  });

  it('is never shared with another version of the source', async () => {
    const first = await postgres.open();
    await first.close();
    const second = await postgres.open(30_000, { ...postgres.source, version: 3 });
    expect(second.handle.values['backendPid']).not.toBe(first.handle.values['backendPid']);
    await second.close();
  });
});

describe('a cancel', () => {
  const endless = 'select count(*) from numbers a, numbers b, numbers c';

  it('ends the statement at the source, not only here', async () => {
    const session = await postgres.open();
    const name = postgres.sessionName;
    const outcome = rowsOf(session, endless).catch((error: unknown) => error);
    await until(async () => (await activeOf(name)) > 0);
    await session.cancel();
    expect(await outcome).toMatchObject({ code: 'run.timed_out', details: { sourceCode: '57014' } });
    await session.close();
    await until(async () => (await postgres.sessionsNamed(name)) === 0);
  });

  it('ends a statement whose rows nobody takes', async () => {
    const session = await postgres.open();
    const name = postgres.sessionName;
    const stream = await session.query("select repeat('x', 1000) from numbers a, numbers b");
    await stream.next();
    await session.cancel();
    await expect(stream.next()).rejects.toMatchObject({ details: { sourceCode: '57014' } });
    await session.close();
    await until(async () => (await postgres.sessionsNamed(name)) === 0);
  });

  it('works from another worker, by the handle alone', async () => {
    const other = new PostgresConnector(connectorLimits);
    const session = await postgres.open();
    const outcome = rowsOf(session, endless).catch((error: unknown) => error);
    expect(await other.cancel(postgres.source, session.handle)).toBe(true);
    expect(await outcome).toMatchObject({ details: { sourceCode: expect.stringMatching('57014|57P01') } });
    await session.close();
    expect(await other.cancel(postgres.source, session.handle)).toBe(false);
    await other.close();
  });

  it('ends the session of a worker that reads no more', async () => {
    const session = await postgres.open();
    const stream = await session.query("select repeat('x', 1000) from numbers a, numbers b");
    await stream.next();
    await until(async () => (await postgres.waitEventOf(postgres.sessionName)) === 'ClientWrite');
    const other = new PostgresConnector(connectorLimits);
    expect(await other.cancel(postgres.source, session.handle)).toBe(true);
    await until(async () => (await postgres.sessionsNamed(postgres.sessionName)) === 0);
    await expect(
      (async () => {
        while (await stream.next());
      })(),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(source\.unavailable|run\.timed_out)$/) });
    await session.close();
    await other.close();
  });

  it('touches no session that only has the same process id', async () => {
    const session = await postgres.open();
    const running = rowsOf(session, 'select count(*) from numbers a, (select * from numbers limit 300) b');
    const { values } = session.handle;
    const foreigners: Record<string, string>[] = [
      { ...values, backendStart: String(Number(values['backendStart']) - 1) },
      { ...values, applicationName: 'sluice run_of_before' },
      { ...values, backendPid: '1' },
      { worker: 'wrk_1' },
      { ...values, backendPid: '1; select 1' },
    ];
    for (const foreign of foreigners) {
      expect(await postgres.connector.cancel(postgres.source, { values: foreign })).toBe(false);
    }
    expect(await running).toEqual([['60000000']]);
    await session.close();
  });
});

describe('a source that cannot be reached', () => {
  it.each([
    ['a wrong password', { password: 'hunter2' }, 'source.credentials_wrong', false],
    ['an unknown user', { user: 'nobody' }, 'source.credentials_wrong', false],
    ['no password', { password: undefined }, 'source.credentials_wrong', false],
    ['a database that is not there', { database: 'nosuch' }, 'source.unavailable', true],
    ['a closed port', { port: 1 }, 'source.unavailable', true],
    ['a host that does not exist', { host: 'nosuch.invalid', ssl: { mode: 'disable' } }, 'source.unavailable', true],
    ['a host that never answers', { host: '192.0.2.1', ssl: { mode: 'disable' } }, 'source.unavailable', true],
    ['a server without TLS where it is asked for', { ssl: { mode: 'require' } }, 'source.unavailable', true],
  ])('is told as such, without its secrets, in time: %s', async (_what, change, code, retryable) => {
    const begin = performance.now();
    const options = JSON.parse(JSON.stringify({ ...postgres.source.options, ...change }));
    const failure = await postgres
      .open(1_000, { ...postgres.source, version: 9, options })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, retryable });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect((failure as Error & { publicMessage: string }).publicMessage).not.toMatch(/reader|127\.0\.0\.1|192\.0/);
    expect(performance.now() - begin).toBeLessThan(4_000);
    await expect(postgres.connector.test({ ...postgres.source, options })).rejects.toMatchObject({ code });
  });
});

describe('the schema of a PostgreSQL source', () => {
  it('holds what the role may read, with types, and nothing else', async () => {
    await postgres.admin.query(`
      create table if not exists typed (id bigint primary key, name varchar(20), amount numeric(10, 2)[], feeling mood, price cents, at timestamptz);
      grant select (id, name, amount, feeling, price) on typed to reader;
      create materialized view if not exists kept as select n from numbers; grant select on kept to reader;
      create or replace view seen as select n from numbers; grant select on seen to reader;`);
    const tables = await postgres.connector.readSchema(postgres.source);
    expect(tables.map(({ schema, name }) => `${schema}.${name}`)).toEqual([
      'public.kept',
      'public.numbers',
      'public.seen',
      'public.typed',
    ]);
    expect(tables.map(({ samplable }) => samplable)).toEqual([true, true, false, true]);
    expect(tables.at(-1)?.columns).toEqual([
      { name: 'id', type: 'BIGINT', sourceType: 'bigint', nullable: false },
      { name: 'name', type: 'TEXT', sourceType: 'character varying(20)', nullable: true },
      { name: 'amount', type: 'ARRAY', sourceType: 'numeric(10,2)[]', nullable: true },
      { name: 'feeling', type: 'TEXT', sourceType: 'mood', nullable: true },
      { name: 'price', type: 'INTEGER', sourceType: 'cents', nullable: true },
    ]);
  });

  it('comes with the server’s version', async () => {
    expect(await postgres.connector.test(postgres.source)).toMatch(/^PostgreSQL 18/);
  });
});
