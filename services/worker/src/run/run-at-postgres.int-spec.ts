import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { RunSuite, sourceOf } from '../../test/run-suite.js';

let suite: RunSuite;
beforeAll(async () => {
  suite = await RunSuite.start();
});
beforeEach(() => suite.renewClient());
afterAll(() => suite.stop());

// A server sends when it has 8 KB, so rows that are to come one by one have to be wide.
const slowRows = `select n, repeat('x', 9000), (select count(*) from generate_series(1, 200000 + n * 0))
  from generate_series(1, 60) n`;

describe('a run', () => {
  it('shows its first rows while the statement still runs', async () => {
    const plan = suite.planOf(slowRows);
    const ended = suite.execute(plan);
    await until(() => suite.client.pages.length > 0);
    expect(suite.client.sealed).toBeUndefined();
    expect(suite.client.pages[0]?.page.rowCount).toBeLessThan(60);
    await ended;
    expect(suite.client.sealed).toMatchObject({ rowCount: 60, truncated: false, pageCount: suite.client.pages.length });
    expect(await suite.storedRows(plan)).toMatchObject(
      Array.from({ length: 60 }, (_, index) => ({ 0: index + 1, 2: '200000' })),
    );
  });

  it('reads no faster than its pages are taken', async () => {
    let release = (): void => undefined;
    suite.client.onPage = () => new Promise((resolvePage) => (release = resolvePage));
    const plan = suite.planOf("select repeat('x', 1000) from numbers");
    const ended = suite.execute(plan);
    await until(() => suite.client.asked.includes('page 0'));
    await until(async () => {
      const { rows } = await suite.admin.query(
        "select wait_event from pg_stat_activity where application_name = $1 and backend_type = 'client backend'",
        [`sluice ${plan.runId} ${plan.submittedById}`],
      );
      return rows[0]?.wait_event === 'ClientWrite';
    });
    expect(suite.held.all()[0]?.rows).toBeLessThan(20_000);
    suite.client.onPage = async () => undefined;
    release();
    await ended;
    expect(suite.client.sealed).toMatchObject({ rowCount: 100_000 });
  });

  it('that was delivered twice runs once', async () => {
    const plan = suite.planOf(slowRows);
    const ended = suite.execute(plan);
    expect(await suite.execute(plan)).toBe('held');
    suite.held.stop(plan.runId, plan.fence, 'canceled');
    await ended;
    expect(suite.client.asked.filter((asked) => asked === 'claim').length).toBeLessThanOrEqual(1);
  });

  it('is given back by a worker that stops, as long as nobody could read a row', async () => {
    const plan = suite.planOf('select count(*) from numbers a, numbers b');
    const ended = suite.execute(plan);
    await until(() => suite.client.asked.includes('claim'));
    suite.held.stop(plan.runId, plan.fence, 'draining');
    await ended;
    expect(suite.client.outcome).toEqual({ case: 'released', value: {} });
  });

  it('is not given back once rows could be read', async () => {
    const plan = suite.planOf(slowRows);
    const ended = suite.execute(plan);
    await until(() => suite.client.pages.length > 0);
    suite.held.stop(plan.runId, plan.fence, 'draining');
    await ended;
    expect(suite.client.outcome).toMatchObject({
      case: 'failed',
      value: { error: { code: 'run.worker_lost' }, transient: false },
    });
  });

  it.each([
    ['a wrong password', { password: 'hunter2' }, {}, 'source.credentials_wrong', false],
    ['a dead host', { password: 'secret' }, { port: 1 }, 'source.unavailable', true],
  ])(
    'at a source with %s fails without a claim, says whether it is worth another try, and is logged with its source',
    async (_what, secrets, change, code, transient) => {
      const source = sourceOf('postgres', { ...suite.sources.postgres.options, ...change }, secrets);
      await suite.execute(suite.planOf('select 1', { source }));
      expect(suite.client.asked).toEqual(['finish']);
      expect(suite.client.outcome).toMatchObject({ case: 'failed', value: { error: { code }, transient } });
      expect(JSON.parse(suite.logLines.at(-1) ?? '{}')).toMatchObject({ msg: 'a run failed', sourceId: source.id });
      expect(JSON.stringify([suite.client.outcome, suite.logLines])).not.toContain('hunter2');
    },
  );

  it('with another source’s secrets never reaches a source', async () => {
    const stolen = { ...suite.sources.postgres, id: newId('dataSource') };
    await suite.execute(suite.planOf('select 1', { source: stolen }));
    expect(suite.client.outcome).toMatchObject({ case: 'failed', value: { error: { code: 'secret.unreadable' } } });
  });

  it('leaves no session of its own at the source', async () => {
    await until(async () => (await suite.sessionsOfRuns()) === 0);
  });
});

describe('a PostgreSQL source that changes between plan and run', () => {
  const relation = (name: string, policyIds: string[] = []) => ({ schema: 'public', name, policyIds });
  const reach = { relations: [relation('open_table')], governed: [relation('governed', ['pol_1'])] };

  afterEach(async () => {
    // With the governed table goes a view of it.
    await suite.admin.query(`drop schema if exists reader cascade; drop table governed cascade;
      drop table if exists public.open_table; drop schema open cascade`);
  });

  it.each([
    ['not', '', 'succeeded'],
    // The session's search path is the one of the plan, whatever the role's is.
    ['in a schema of the role’s own', 'create schema reader; create table reader.open_table (hidden int)', 'succeeded'],
    [
      'in that the table is a view of a governed one',
      'create view public.open_table as select * from governed',
      'failed',
    ],
    ['in that a governed table is a child of it', 'alter table governed inherit open_table', 'failed'],
    ['in that it is gone', 'drop table public.open_table', 'failed'],
  ])('is refused where it has to be; it changed %s', async (_how, change, outcome) => {
    await suite.admin.query(`create schema open; create table governed (n int); create table open_table (n int);
      ${change.startsWith('create view') ? 'alter table open_table set schema open;' : ''} ${change};
      alter table if exists public.open_table owner to reader; grant usage on schema open to reader`);
    await suite.execute(suite.planOf('select * from open_table', { reach }));
    const rejected = { case: 'failed', value: { error: { code: 'sql.rejected' } } };
    expect(suite.client.outcome).toMatchObject(outcome === 'succeeded' ? { case: outcome } : rejected);
  });
});
