import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { delay } from '#libs/kernel';
import { until } from '#libs/testing';
import { PostgresSuite, rowsOf } from '../../test/postgres-suite.js';

let postgres: PostgresSuite;
beforeAll(async () => {
  postgres = await PostgresSuite.start();
});
beforeEach(() => postgres.renewConnector());
afterAll(() => postgres.stop());

describe('a PostgreSQL session', () => {
  it('brings every row once and in order', async () => {
    const rows = await postgres.answer('select n, text from numbers order by n');
    expect(rows).toHaveLength(200_000);
    expect(rows[0]).toEqual([1, 'row 1']);
    expect(rows[199_999]).toEqual([200_000, 'row 200000']);
  });

  it('sends the text as it is, to the byte', async () => {
    const sql = "select  query,\n\t'é' as x -- end\n from pg_stat_activity where pid = pg_backend_pid() ";
    expect(await postgres.answer(sql)).toEqual([[sql, 'é']]);
  });

  it('gives a result without rows its columns, with names that are unique', async () => {
    const session = await postgres.open();
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
      const session = await postgres.open();
      await expect(session.query(sql)).rejects.toMatchObject({ code: 'run.query_failed', details: { sourceCode } });
      await session.close();
    }
  });

  it('tells the source’s own message, code and place', async () => {
    const session = await postgres.open();
    await expect(session.query('select n,\n  nosuch from numbers')).rejects.toMatchObject({
      code: 'run.query_failed',
      publicMessage: 'column "nosuch" does not exist (line 2, column 3)',
      details: { sourceCode: '42703' },
      retryable: false,
    });
    await session.close();
  });

  it('tells an error that comes after the first rows', async () => {
    await expect(postgres.answer('select 1 / (150000 - n) from numbers')).rejects.toMatchObject({
      details: { sourceCode: '22012' },
    });
  });

  it('reads strings as the proof does, whatever the database has set', async () => {
    await postgres.admin.query('alter role reader set standard_conforming_strings = off');
    try {
      expect(await postgres.answer(String.raw`select 'a\', 'b'`)).toEqual([['a\\', 'b']]);
    } finally {
      await postgres.admin.query('alter role reader reset all');
    }
  });

  it('looks names up in the schemas of the source', async () => {
    const session = await postgres.open(30_000, {
      ...postgres.source,
      version: 2,
      options: { ...postgres.source.options, schemas: ['other'] },
    });
    expect(await rowsOf(session, 'select * from here')).toEqual([]);
    await session.close();
  });

  it('is held back by whoever reads it, and so is the server', async () => {
    const session = await postgres.open();
    const stream = await session.query("select repeat('x', 100000) from generate_series(1, 3000)");
    await stream.next();
    const before = process.memoryUsage().rss;
    // The server has sent all that the sockets hold and waits to send more.
    await until(async () => (await postgres.waitEventOf(postgres.sessionName)) === 'ClientWrite');
    await delay(50);
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 1024 * 1024);
    let count = 0;
    for (let batch = await stream.next(); batch; batch = await stream.next()) count += batch.rowCount;
    expect(count).toBeGreaterThan(2_900);
    await session.close();
  });

  it('refuses a row that is larger than can be held, before it is held', async () => {
    const before = process.memoryUsage().rss;
    await expect(postgres.answer("select repeat('x', 200000000)")).rejects.toMatchObject({ code: 'result.too_large' });
    expect(process.memoryUsage().rss - before).toBeLessThan(60 * 1024 * 1024);
  });

  it('is not given to another run once it was canceled, also where its statement ended by itself', async () => {
    const session = await postgres.open();
    const stream = await session.query('select 1');
    const canceling = session.cancel();
    while (await stream.next().catch(() => undefined));
    await session.close();
    await canceling;
    const next = await postgres.open();
    expect(next.handle.values['backendPid']).not.toBe(session.handle.values['backendPid']);
    await next.close();
  });

  it('ends by the time limit at the source', async () => {
    const session = await postgres.open(100);
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
    const session = await postgres.open();
    const seen = await rowsOf(
      session,
      `select application_name, current_setting('sluice.run_id'), current_setting('sluice.workspace_id')
         from pg_stat_activity where pid = pg_backend_pid()`,
    );
    await session.close();
    expect(seen).toEqual([[postgres.sessionName, postgres.runId, 'wsp_1']]);
  });

  it('cannot be told as anything but a name, nor longer than the server keeps, and is found by it', async () => {
    const evil = `x'; select pg_sleep(9); -- \\ ${'ä'.repeat(100)}`;
    const purpose = { runId: evil, workspaceId: evil, submittedById: evil, timeoutMs: 5_000 };
    const session = await postgres.connector.open(postgres.source, purpose);
    const [row] = await rowsOf(session, "select current_setting('application_name'), current_setting('sluice.run_id')");
    const name = session.handle.values['applicationName'] ?? '';
    expect(row).toEqual([name, evil]);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(name).toMatch(/^sluice [\w ?-]+$/);
    expect(await postgres.sessionsNamed(name)).toBe(1);
    await session.close();
  });

  it('leaves nothing behind for the next run', async () => {
    await (await postgres.open()).close();
    const next = await postgres.open();
    expect(await rowsOf(next, "select current_setting('sluice.run_id')")).toEqual([[postgres.runId]]);
    await next.close();
  });
});

describe('an estimate', () => {
  it('is the planner’s, for the values of the statement, and runs nothing', async () => {
    const session = await postgres.open();
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
      const session = await postgres.open();
      const message = await session[ask]('select 1,\n nosuch').catch((error: Error) => error.message);
      await session.close();
      return message;
    };
    expect(await messageOf('estimate')).toContain('line 2, column 2');
    expect(await messageOf('estimate')).toEqual(await messageOf('query'));
  });
});
