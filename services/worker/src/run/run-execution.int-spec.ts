import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunPlan } from '#libs/contracts';
import { delay, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { RunSuite, sealedFor } from '../../test/run-suite.js';

let suite: RunSuite;
beforeAll(async () => {
  suite = await RunSuite.start();
});
beforeEach(() => suite.renewClient());
afterAll(() => suite.stop());

describe.each(['postgres', 'duckdb'] as const)('a run at a %s source', (type) => {
  const numbers = type === 'postgres' ? 'generate_series(1, 50000)' : 'range(1, 50001)';

  it('with few rows goes inline: claim, seal and finish, no page', async () => {
    await suite.execute(suite.planOf('select 1 as a, null as b', { source: suite.sources[type] }));
    expect(suite.client.asked).toEqual(['claim', 'seal', 'finish']);
    expect(suite.client.sealed).toMatchObject({ rowCount: 1, byteCount: 8, truncated: false, pageCount: 0 });
    expect(suite.client.sealed?.columns.map(({ name }) => name)).toEqual(['a', 'b']);
    const inline = await suite.inlinePage();
    expect(inline.row(0)).toBe('[1,null]');
    expect(suite.client.outcome).toEqual({ case: 'succeeded', value: { rows: 1, bytes: 8 } });
  });

  it('binds its values as what stands beside their placeholders, and none of them is read as SQL', async () => {
    const sql = `select cast($1 as integer) + 1, $2 || 'x', cast($3 as date) = '2026-11-21', cast($4 as integer)
      from ${numbers} t(n) where n = $5`;
    const values = [
      { type: 'integer', value: '41' },
      { type: 'text', value: "' or 1 = 1 --" },
      { type: 'date', value: '2026-11-21' },
      { type: 'integer' },
      { type: 'text', value: '7' },
    ];
    await suite.execute(suite.planOf(sql, { source: suite.sources[type], values }));
    expect(suite.client.outcome).toMatchObject({ case: 'succeeded' });
    const inline = await suite.inlinePage();
    expect(JSON.parse(inline.row(0))).toEqual([42, "' or 1 = 1 --x", true, null]);
  });

  it('opens the values that were sealed for it, and none that was sealed for another run', async () => {
    const sealed = (runId: string): RunPlan['values'] => [sealedFor(runId, 'the key of masks')];
    const [own, another] = [newId('run'), newId('run')];
    const plan = suite.planOf("select $1 || '!'", { source: suite.sources[type], runId: own });
    await suite.execute({ ...plan, values: sealed(own) });
    expect((await suite.inlinePage()).row(0)).toBe('["the key of masks!"]');
    suite.renewClient();
    await suite.execute({ ...plan, values: sealed(another) });
    expect(suite.client.asked).toEqual(['claim', 'finish']);
    expect(suite.client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'secret.unreadable' } } });
  });

  it('is refused where what was planned is not what its names mean when it is run', async () => {
    const schema = type === 'postgres' ? 'public' : 'main';
    const name = type === 'postgres' ? 'numbers' : 'flights';
    const relation = { schema, name, policyIds: [] };
    const reach = (changed: object = {}): RunPlan['reach'] => ({
      relations: [{ ...relation, ...changed }],
      governed: [{ schema: 'hidden', name: 'governed', policyIds: ['pol_1'] }],
    });
    const plan = () => suite.planOf(`select count(*) from ${name}`, { source: suite.sources[type] });
    await suite.execute({ ...plan(), reach: reach() });
    expect(suite.client.outcome).toMatchObject({ case: 'succeeded' });
    // Between plan and run: now the view shows rows of what has become a governed table, under fewer policies.
    suite.renewClient();
    const governed = [{ ...relation, policyIds: ['pol_1'] }];
    await suite.execute({ ...plan(), reach: { relations: [relation], governed } });
    expect(suite.client.asked).toEqual(['claim', 'finish']);
    expect(suite.client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'sql.rejected' } } });
  });

  it('with fewer values than placeholders is refused before it is run', async () => {
    await suite.execute(suite.planOf('select cast($1 as integer)', { source: suite.sources[type] }));
    expect(suite.client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: expect.stringMatching(/^sql\./) } },
    });
  });

  it('without rows still has its columns', async () => {
    await suite.execute(suite.planOf(`select n from ${numbers} t(n) where n < 0`, { source: suite.sources[type] }));
    expect(suite.client.sealed).toMatchObject({ rowCount: 0, pageCount: 0, columns: [{ name: 'n' }] });
  });

  it('with many rows makes pages readable in order, each row once, then seals', async () => {
    const plan = suite.planOf(`select n::int as n from ${numbers} t(n)`, { source: suite.sources[type] });
    await suite.execute(plan);
    const count = suite.client.pages.length;
    expect(suite.client.asked).toEqual([
      'claim',
      ...suite.client.pages.map((_, index) => `page ${index}`),
      'seal',
      'finish',
    ]);
    expect(suite.client.pages[0]?.columns).toEqual([{ name: 'n', type: 'INTEGER', nullable: true }]);
    expect(suite.client.sealed).toMatchObject({ rowCount: 50_000, pageCount: count, truncated: false });
    expect(suite.client.sealed?.inline).toBeUndefined();
    expect(await suite.storedRows(plan)).toEqual(Array.from({ length: 50_000 }, (_, index) => [index + 1]));
    expect(count).toBeGreaterThan(1);
  });

  it.each([
    [99, true, 99],
    [100, false, 100],
    [101, false, 100],
  ])('of 100 rows under a limit of %i is cut: %s', async (rowsMax, truncated, rowCount) => {
    await suite.execute(
      suite.planOf(`select n from ${numbers} t(n) where n <= 100`, { source: suite.sources[type], rowsMax }),
    );
    expect(suite.client.sealed).toMatchObject({ rowCount, truncated });
    expect(suite.client.outcome).toMatchObject({ case: 'succeeded', value: { rows: rowCount } });
  });

  it('is cut before the row that would go beyond the limit of bytes', async () => {
    // Rows of [1] to [9] have 3 bytes each.
    const sql = `select n::int from ${numbers} t(n) where n <= 9`;
    await suite.execute(suite.planOf(sql, { source: suite.sources[type], bytesMax: 27 }));
    expect(suite.client.sealed).toMatchObject({ rowCount: 9, byteCount: 27, truncated: false });
    suite.renewClient();
    await suite.execute(suite.planOf(sql, { source: suite.sources[type], bytesMax: 26 }));
    expect(suite.client.sealed).toMatchObject({ rowCount: 8, byteCount: 24, truncated: true });
  });

  it('that is not granted does nothing', async () => {
    suite.client.grants = false;
    expect(await suite.execute(suite.planOf('select 1', { source: suite.sources[type] }))).toBe('refused');
    expect(suite.client.asked).toEqual(['claim']);
  });

  it('whose page is refused stops, and says no more', async () => {
    suite.client.pagesAccepted = 1;
    expect(await suite.execute(suite.planOf(`select n from ${numbers} t(n)`, { source: suite.sources[type] }))).toBe(
      'lost',
    );
    expect(suite.client.asked).not.toContain('seal');
    expect(suite.client.asked).not.toContain('finish');
  });

  it('whose SQL fails is told with the source’s own code, and is not worth another try', async () => {
    await suite.execute(suite.planOf('select nosuch', { source: suite.sources[type] }));
    expect(suite.client.outcome).toMatchObject({
      case: 'failed',
      value: {
        error: { code: 'run.query_failed', sourceCode: type === 'postgres' ? '42703' : 'Binder' },
        transient: false,
      },
    });
  });

  it('that fails after its first rows is told so behind all that can be read of it', async () => {
    suite.client.onPage = () => delay(300);
    const sql = `select n, repeat('x', 300), 1 / cast(case when n < 45000 then '1' else 'x' end as integer) from ${numbers} t(n)`;
    await suite.execute(suite.planOf(sql, { source: suite.sources[type] }));
    await delay(1_000);
    expect(suite.client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'run.query_failed' } } });
    expect(suite.client.asked.filter((what) => what.startsWith('page')).length).toBeGreaterThan(2);
    expect(suite.client.asked.at(-1)).toBe('finish');
  });

  it('whose SQL is not proven is refused here too, before the source hears of it', async () => {
    await suite.execute(
      suite.planOf("select getenv('HOME'), set_config('a.b', 'c', true)", { source: suite.sources[type] }),
    );
    expect(suite.client.asked).toEqual(['claim', 'finish']);
    expect(suite.client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: 'sql.not_read_only' }, transient: false },
    });
  });

  it('ends when its time is up', async () => {
    suite.client.timeoutMs = 150;
    const heavy = `select count(*) from ${numbers} a(n), ${numbers} b(n), ${numbers} c(n) where a.n + b.n + c.n = 7`;
    await suite.execute(suite.planOf(heavy, { source: suite.sources[type], timeoutMs: 30_000 }));
    expect(suite.client.outcome).toEqual({ case: 'stopped', value: { timedOut: true } });
  });

  it('ends when it is stopped, and releases what it holds', async () => {
    const heavy = `select count(*) from ${numbers} a(n), ${numbers} b(n), ${numbers} c(n) where a.n + b.n + c.n = 7`;
    const plan = suite.planOf(heavy, { source: suite.sources[type] });
    const ended = suite.execute(plan);
    await until(() => suite.client.asked.includes('claim'));
    expect(suite.held.stop(plan.runId, plan.fence + 1, 'canceled')).toBe(false);
    expect(suite.held.stop(plan.runId, plan.fence, 'canceled')).toBe(true);
    await ended;
    expect(suite.client.outcome).toEqual({ case: 'stopped', value: { timedOut: false } });
    expect(suite.held.count).toBe(0);
  });
});

describe('runs at a PostgreSQL source', () => {
  it('leave no session of their own there, however they ended', async () => {
    await until(async () => (await suite.sessionsOfRuns()) === 0);
  });
});
