import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { delay } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import type { OpenedSource, SourceSession } from '../connector/connector.js';
import { PostgresConnector } from './postgres-connector.js';

let server: PostgresServer;
let admin: pg.Client;
let source: OpenedSource;
let connector: PostgresConnector;
const limits = { connectTimeoutMs: 2_000, idleMax: 2, idleMs: 30_000, trustedMs: 0 };

beforeAll(async () => {
  server = await startPostgres();
  const url = new URL(await server.createDatabase());
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`
    create role reader login password 'secret';
    create table numbers as select n, 'row ' || n as text from generate_series(1, 200000) n;
    create table secrets (owner text, value text);
    insert into secrets values ('alice', 'a'), ('bob', 'b');
    create type mood as enum ('sad', 'glad');
    create domain cents as integer;
    grant select on numbers to reader;
  `);
  source = {
    id: 'src_1',
    version: 1,
    options: {
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1),
      user: 'reader',
      password: 'secret',
    },
  };
});
afterAll(async () => {
  await connector.close();
  await admin.end();
  await server.stop();
});
beforeEach(async () => {
  await (connector as PostgresConnector | undefined)?.close();
  connector = new PostgresConnector(limits);
});

const asker = { workspaceId: 'wsp_1', submittedById: 'usr_1' };
let runs = 0;
function open(timeoutMs = 30_000, from: OpenedSource = source): Promise<SourceSession> {
  runs += 1;
  return connector.open(from, { runId: `run_${runs}`, ...asker, timeoutMs });
}

async function rowsOf(session: SourceSession, sql: string): Promise<unknown[]> {
  const stream = await session.query(sql);
  const rows: unknown[] = [];
  for (let batch = await stream.next(); batch; batch = await stream.next()) {
    for (const row of batch) rows.push(JSON.parse(row));
  }
  return rows;
}

async function answer(sql: string): Promise<unknown[]> {
  const session = await open();
  try {
    return await rowsOf(session, sql);
  } finally {
    await session.close();
  }
}

const sessionsNamed = async (name: string): Promise<number> => {
  const { rowCount } = await admin.query('select from pg_stat_activity where application_name = $1', [name]);
  return rowCount ?? 0;
};

// The parallel workers of a statement have its session's name too.
const activeOf = async (name: string): Promise<number> => {
  const { rowCount } = await admin.query(
    "select from pg_stat_activity where application_name = $1 and state = 'active' and backend_type = 'client backend'",
    [name],
  );
  return rowCount ?? 0;
};

const waitEventOf = async (name: string): Promise<string | undefined> => {
  const { rows } = await admin.query<{ wait_event: string }>(
    "select wait_event from pg_stat_activity where application_name = $1 and backend_type = 'client backend'",
    [name],
  );
  return rows[0]?.wait_event;
};

describe('a PostgreSQL session', () => {
  it('brings every row once and in order', async () => {
    const rows = await answer('select n, text from numbers order by n');
    expect(rows).toHaveLength(200_000);
    expect(rows[0]).toEqual([1, 'row 1']);
    expect(rows[199_999]).toEqual([200_000, 'row 200000']);
  });

  it('sends the text as it is, to the byte', async () => {
    const sql = "select  query,\n\t'é' as x -- end\n from pg_stat_activity where pid = pg_backend_pid() ";
    expect(await answer(sql)).toEqual([[sql, 'é']]);
  });

  it('gives a result without rows its columns, with names that are unique', async () => {
    const session = await open();
    const stream = await session.query('select n, n, text as n_2, n from numbers where false');
    expect(stream.columns.map(({ name }) => name)).toEqual(['n', 'n_3', 'n_2', 'n_4']);
    expect(await stream.next()).toBeUndefined();
    await session.close();
  });

  it('takes one statement only, and nothing that writes', async () => {
    for (const [sql, sourceCode] of [
      ['select 1; select 2', '42601'],
      ['create table t (a int)', '25006'],
      ['delete from numbers', '25006'],
    ] as const) {
      const session = await open();
      await expect(session.query(sql)).rejects.toMatchObject({ code: 'run.query_failed', details: { sourceCode } });
      await session.close();
    }
  });

  it('tells the source’s own message, code and place', async () => {
    const session = await open();
    await expect(session.query('select n,\n  nosuch from numbers')).rejects.toMatchObject({
      code: 'run.query_failed',
      publicMessage: 'column "nosuch" does not exist (line 2, column 3)',
      details: { sourceCode: '42703' },
      retryable: false,
    });
    await session.close();
  });

  it('tells an error that comes after the first rows', async () => {
    await expect(answer('select 1 / (150000 - n) from numbers')).rejects.toMatchObject({
      details: { sourceCode: '22012' },
    });
  });

  it('reads strings as the proof does, whatever the database has set', async () => {
    await admin.query('alter role reader set standard_conforming_strings = off');
    try {
      expect(await answer(String.raw`select 'a\', 'b'`)).toEqual([['a\\', 'b']]);
    } finally {
      await admin.query('alter role reader reset all');
    }
  });

  it('looks names up in the schemas of the source', async () => {
    await admin.query(
      'create schema if not exists other; create table if not exists other.here (a int); grant usage on schema other to reader; grant select on other.here to reader',
    );
    const session = await open(30_000, { ...source, version: 2, options: { ...source.options, schemas: ['other'] } });
    expect(await rowsOf(session, 'select * from here')).toEqual([]);
    await session.close();
  });

  it('is held back by whoever reads it, and so is the server', async () => {
    const session = await open();
    const stream = await session.query("select repeat('x', 100000) from generate_series(1, 3000)");
    await stream.next();
    const before = process.memoryUsage().rss;
    // The server has sent all that the sockets hold and waits to send more.
    await until(async () => (await waitEventOf(`sluice run_${runs} usr_1`)) === 'ClientWrite');
    await delay(50);
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 1024 * 1024);
    let count = 0;
    for (let batch = await stream.next(); batch; batch = await stream.next()) count += batch.length;
    expect(count).toBeGreaterThan(2_900);
    await session.close();
  });

  it('refuses a row that is larger than can be held, before it is held', async () => {
    const before = process.memoryUsage().rss;
    await expect(answer("select repeat('x', 200000000)")).rejects.toMatchObject({ code: 'result.too_large' });
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 1024 * 1024);
  });

  it('ends by the time limit at the source', async () => {
    const session = await open(100);
    const begin = performance.now();
    await expect(rowsOf(session, 'select count(*) from numbers a, numbers b')).rejects.toMatchObject({
      code: 'run.timed_out',
    });
    expect(performance.now() - begin).toBeLessThan(2_000);
    await session.close();
  });
});

describe('who asks', () => {
  it('is told to the server: run and user in the name of the session, run and workspace in settings', async () => {
    const session = await open();
    const seen = await rowsOf(
      session,
      `select application_name, current_setting('sluice.run_id'), current_setting('sluice.workspace_id')
         from pg_stat_activity where pid = pg_backend_pid()`,
    );
    await session.close();
    expect(seen).toEqual([[`sluice run_${runs} usr_1`, `run_${runs}`, 'wsp_1']]);
  });

  it('cannot be told as anything but a name, nor longer than the server keeps, and is found by it', async () => {
    const evil = `x'; select pg_sleep(9); -- \\ ${'ä'.repeat(100)}`;
    const purpose = { runId: evil, workspaceId: evil, submittedById: evil, timeoutMs: 5_000 };
    const session = await connector.open(source, purpose);
    const [row] = await rowsOf(session, "select current_setting('application_name'), current_setting('sluice.run_id')");
    const name = session.handle.values['applicationName'] ?? '';
    expect(row).toEqual([name, evil]);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^sluice [\w ?-]+$/);
    expect(await sessionsNamed(name)).toBe(1);
    await session.close();
  });

  it('leaves nothing behind for the next run', async () => {
    await (await open()).close();
    const next = await open();
    expect(await rowsOf(next, "select current_setting('sluice.run_id')")).toEqual([[`run_${runs}`]]);
    await next.close();
  });
});

describe('an estimate', () => {
  it('is the planner’s, for the values of the statement, and runs nothing', async () => {
    const session = await open();
    const sql = 'select pg_sleep($1::float8) from generate_series(1, 400)';
    const estimate = await session.estimate(sql, ['60']);
    expect(estimate).toMatchObject({ rows: 400, largestStepRows: 400, plan: { Plan: { 'Plan Rows': 400 } } });
    expect(estimate.cost).toBeGreaterThan(0);
    expect(estimate.bytes).toBeGreaterThan(0);
    // The statement is run in the same session.
    expect(await rowsOf(session, 'select 1')).toEqual([[1]]);
    await session.close();
  });

  it('of what the source refuses is refused in the same words, at the same place', async () => {
    const messageOf = async (ask: 'query' | 'estimate'): Promise<unknown> => {
      const session = await open();
      const message = await session[ask]('select 1,\n nosuch').catch((error: Error) => error.message);
      await session.close();
      return message;
    };
    expect(await messageOf('estimate')).toContain('line 2, column 2');
    expect(await messageOf('estimate')).toEqual(await messageOf('query'));
  });
});

describe('a connection that goes from one run to the next', () => {
  it('is the same one, and holds nothing of the run before', async () => {
    const first = await open();
    const pid = first.handle.values['backendPid'];
    // What the proof refuses is done here all the same, to see that the second line holds.
    await rowsOf(
      first,
      `select set_config('statement_timeout', '0', false), set_config('app.uid', 'bob', false),
      pg_advisory_lock(7), setseed(0.5), set_config('search_path', 'nowhere', false)`,
    );
    await first.close();
    const second = await open();
    expect(second.handle.values['backendPid']).toBe(pid);
    expect(
      await rowsOf(
        second,
        `select current_setting('statement_timeout'), current_setting('app.uid', true),
      current_setting('search_path'), current_setting('application_name'),
      (select count(*) from pg_locks where locktype = 'advisory')`,
      ),
    ).toEqual([['30s', '', 'public, pg_temp', `sluice run_${runs} usr_1`, '0']]);
    await second.close();
  });

  it('is used again after a statement that the source refused', async () => {
    const first = await open();
    await expect(first.query('select nosuch')).rejects.toThrow();
    await first.close();
    const second = await open();
    expect(second.handle.values['backendPid']).toBe(first.handle.values['backendPid']);
    await second.close();
  });

  it('is not used again after a cancel, nor with rows unread', async () => {
    const first = await open();
    await (await first.query('select * from numbers')).next();
    await first.close();
    const second = await open();
    expect(second.handle.values['backendPid']).not.toBe(first.handle.values['backendPid']);
    await second.cancel();
    await second.close();
    const third = await open();
    expect(third.handle.values['backendPid']).not.toBe(second.handle.values['backendPid']);
    await third.close();
    await until(async () => (await sessionsNamed(`sluice run_${runs} usr_1`)) === 0);
  });

  it('is replaced unnoticed where it died while it waited', async () => {
    const first = await open();
    await first.close();
    await admin.query('select pg_terminate_backend($1)', [first.handle.values['backendPid']]);
    expect(await answer('select 1')).toEqual([[1]]);
  });

  it('is never shared with another version of the source', async () => {
    const first = await open();
    await first.close();
    const second = await open(30_000, { ...source, version: 3 });
    expect(second.handle.values['backendPid']).not.toBe(first.handle.values['backendPid']);
    await second.close();
  });
});

describe('a cancel', () => {
  const endless = 'select count(*) from numbers a, numbers b, numbers c';

  it('ends the statement at the source, not only here', async () => {
    const session = await open();
    const name = `sluice run_${runs} usr_1`;
    const outcome = rowsOf(session, endless).catch((error: unknown) => error);
    await until(async () => (await activeOf(name)) > 0);
    await session.cancel();
    expect(await outcome).toMatchObject({ code: 'run.timed_out', details: { sourceCode: '57014' } });
    await session.close();
    await until(async () => (await sessionsNamed(name)) === 0);
  });

  it('ends a statement whose rows nobody takes', async () => {
    const session = await open();
    const name = `sluice run_${runs} usr_1`;
    const stream = await session.query("select repeat('x', 1000) from numbers a, numbers b");
    await stream.next();
    await session.cancel();
    await expect(stream.next()).rejects.toMatchObject({ details: { sourceCode: '57014' } });
    await session.close();
    await until(async () => (await sessionsNamed(name)) === 0);
  });

  it('works from another worker, by the handle alone', async () => {
    const other = new PostgresConnector(limits);
    const session = await open();
    const outcome = rowsOf(session, endless).catch((error: unknown) => error);
    expect(await other.cancel(source, session.handle)).toBe(true);
    expect(await outcome).toMatchObject({ details: { sourceCode: expect.stringMatching('57014|57P01') } });
    await session.close();
    expect(await other.cancel(source, session.handle)).toBe(false);
    await other.close();
  });

  it('ends the session of a worker that reads no more', async () => {
    const session = await open();
    const stream = await session.query("select repeat('x', 1000) from numbers a, numbers b");
    await stream.next();
    await until(async () => (await waitEventOf(`sluice run_${runs} usr_1`)) === 'ClientWrite');
    const other = new PostgresConnector(limits);
    expect(await other.cancel(source, session.handle)).toBe(true);
    await until(async () => (await sessionsNamed(`sluice run_${runs} usr_1`)) === 0);
    await expect(
      (async () => {
        while (await stream.next());
      })(),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(source\.unavailable|run\.timed_out)$/) });
    await session.close();
    await other.close();
  });

  it('touches no session that only has the same process id', async () => {
    const session = await open();
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
      expect(await connector.cancel(source, { values: foreign })).toBe(false);
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
    const options = JSON.parse(JSON.stringify({ ...source.options, ...change }));
    const failure = await open(1_000, { ...source, version: 9, options }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, retryable });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect((failure as Error & { publicMessage: string }).publicMessage).not.toMatch(/reader|127\.0\.0\.1|192\.0/);
    expect(performance.now() - begin).toBeLessThan(4_000);
    await expect(connector.test({ ...source, options })).rejects.toMatchObject({ code });
  });
});

describe('the schema of a PostgreSQL source', () => {
  it('holds what the role may read, with types, and nothing else', async () => {
    await admin.query(`
      create table if not exists typed (id bigint primary key, name varchar(20), amount numeric(10, 2)[], feeling mood, price cents, at timestamptz);
      grant select (id, name, amount, feeling, price) on typed to reader;
      create or replace view seen as select n from numbers; grant select on seen to reader;`);
    const tables = await connector.readSchema(source);
    expect(tables.map(({ schema, name }) => `${schema}.${name}`)).toEqual([
      'public.numbers',
      'public.seen',
      'public.typed',
    ]);
    expect(tables.at(-1)?.columns).toEqual([
      { name: 'id', type: 'BIGINT', sourceType: 'bigint', nullable: false },
      { name: 'name', type: 'TEXT', sourceType: 'character varying(20)', nullable: true },
      { name: 'amount', type: 'ARRAY', sourceType: 'numeric(10,2)[]', nullable: true },
      { name: 'feeling', type: 'TEXT', sourceType: 'mood', nullable: true },
      { name: 'price', type: 'INTEGER', sourceType: 'cents', nullable: true },
    ]);
  });

  it('comes with the server’s version', async () => {
    expect(await connector.test(source)).toMatch(/^PostgreSQL 18/);
  });
});
