import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests, metadataRequests, type SourceConnection, type User } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import type { JsonObject } from '#libs/kernel';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  orchestrator = startOrchestrator(dataSource);
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
});

async function countOf(table: 'run' | 'execution'): Promise<number> {
  const [row]: { n: string }[] = await dataSource.query(`select count(*) as n from orchestrator.${table}`);
  return Number(row?.n);
}

describe('a question', () => {
  it('without a free slot waits, and tells its place', async () => {
    const first = await submitSql(orchestrator, principal, source, 'select 1');
    const second = await submitSql(orchestrator, principal, source, 'select 2');
    expect(first).toMatchObject({ state: 'QUEUED', version: 1, queuePosition: 1, cacheStatus: 'MISS', attempts: 0 });
    expect(second).toMatchObject({ queuePosition: 2, sql: 'select 2', submittedById: principal.userId });
    expect(orchestrator.jobs).toEqual([]);
  });

  it('with a free slot is dispatched in the transaction of its insert, as one job with its whole plan', async () => {
    await new TestWorker(orchestrator).announce(1);
    const execution = await submitSql(orchestrator, principal, source, 'select 1', { limits: { rows: 7 } });
    expect(execution).toMatchObject({ state: 'QUEUED', version: 1, queuePosition: 1 });
    expect(orchestrator.jobs).toMatchObject([
      { runId: execution.runId, fence: 1, sql: 'select 1\nlimit 8', rowsMax: 7, timeoutMs: 300_000, source },
    ]);
  });

  it('asked 1,000 times at once is run once', async () => {
    const callers = Array.from({ length: 1_000 }, () => newPrincipal({ workspaceId: principal.workspaceId }));
    const executions = await Promise.all(callers.map((each) => submitSql(orchestrator, each, source, 'select 1')));
    expect(new Set(executions.map(({ runId }) => runId)).size).toBe(1);
    expect(executions.filter(({ cacheStatus }) => cacheStatus === 'MISS')).toHaveLength(1);
    expect(new Set(executions.map(({ id }) => id)).size).toBe(1_000);
    expect([await countOf('run'), await countOf('execution')]).toEqual([1, 1_000]);
  });

  it('that differs in its limits, text or source version is run by itself', async () => {
    const runs = [
      await submitSql(orchestrator, principal, source, 'select 1'),
      await submitSql(orchestrator, principal, source, 'select 1', { limits: { rows: 1 } }),
      await submitSql(orchestrator, principal, source, 'select 2'),
    ];
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({
      source: { ...source, version: 2 },
      revision: 1,
    }));
    runs.push(await submitSql(orchestrator, principal, source, 'select 1'));
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(4);
  });

  it('asked again once its run has ended is run again where no kept result is wanted', async () => {
    const worker = new TestWorker(orchestrator);
    await worker.announce(1);
    const first = await submitSql(orchestrator, principal, source, 'select 1');
    await worker.claim({ runId: first.runId, fence: 1 });
    await worker.succeed({ runId: first.runId, fence: 1 });
    const second = await submitSql(orchestrator, principal, source, 'select 1', { cache: { maxAgeSeconds: 0 } });
    expect(second.runId).not.toBe(first.runId);
    expect(second.cacheStatus).toBe('BYPASS');
  });

  it('of a more urgent caller moves the run that waits up', async () => {
    const slow = await submitSql(orchestrator, principal, source, 'select 1', { priority: 'DASHBOARD' });
    const urgent = await submitSql(orchestrator, principal, source, 'select 1');
    expect(urgent.runId).toBe(slow.runId);
    const lanes = await dataSource.query('select class, queued from orchestrator.lane order by class');
    expect(lanes).toEqual([
      { class: 1, queued: 1 },
      { class: 2, queued: 0 },
    ]);
  });
});

describe('an idempotency key', () => {
  it('answers the same call with the first call’s execution, even many at once', async () => {
    const ask = () => submitSql(orchestrator, principal, source, 'select 1', { idempotencyKey: 'k1' });
    const executions = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(executions.map(({ id }) => id)).size).toBe(1);
    expect([await countOf('run'), await countOf('execution')]).toEqual([1, 1]);
  });

  it('refuses another input', async () => {
    await submitSql(orchestrator, principal, source, 'select 1', { idempotencyKey: 'k1' });
    await expect(
      submitSql(orchestrator, principal, source, 'select 2', { idempotencyKey: 'k1' }),
    ).rejects.toMatchObject({ code: 'run.idempotency_conflict', path: ['idempotencyKey'] });
    expect(await countOf('run')).toBe(1);
  });

  it('is each caller’s own', async () => {
    const other = newPrincipal({ workspaceId: principal.workspaceId });
    const mine = await submitSql(orchestrator, principal, source, 'select 1', { idempotencyKey: 'k1' });
    const theirs = await submitSql(orchestrator, other, source, 'select 2', { idempotencyKey: 'k1' });
    expect(theirs.id).not.toBe(mine.id);
  });

  it('can be used again after a day', async () => {
    const first = await submitSql(orchestrator, principal, source, 'select 1', { idempotencyKey: 'k1' });
    await dataSource.query(`update orchestrator.execution set submitted_at = now() - interval '25 hours'`);
    await orchestrator.history.purge();
    const second = await submitSql(orchestrator, principal, source, 'select 2', { idempotencyKey: 'k1' });
    expect(second.id).not.toBe(first.id);
  });
});

describe('a question that cannot be run', () => {
  it.each([
    ['delete from t', 'sql.not_read_only', ['query', 'sql', 'text']],
    ['selec 1', 'sql.rejected', ['query', 'sql', 'text']],
    ['', 'input.invalid', ['query', 'sql', 'text']],
    ['select 1; select 2', 'sql.not_read_only', ['query', 'sql', 'text']],
    ["select '\0'", 'sql.rejected', ['query', 'sql', 'text']],
    [`select '${'x'.repeat(103_000)}'`, 'sql.too_long', ['query', 'sql', 'text']],
  ])('is refused with its place and leaves nothing: %.20s', async (text, code, path) => {
    await expect(submitSql(orchestrator, principal, source, text)).rejects.toMatchObject({ code, path });
    expect([await countOf('run'), await countOf('execution')]).toEqual([0, 0]);
  });

  it('is refused while its source is paused', async () => {
    orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({
      source: { ...source, paused: true },
      revision: 1,
    }));
    await expect(submitSql(orchestrator, principal, source, 'select 1')).rejects.toMatchObject({
      code: 'source.paused',
      path: ['query', 'sql', 'dataSourceId'],
    });
  });

  it.each([
    ['paused', { paused: true, deleted: false }, 'source.paused'],
    ['deleted', { paused: false, deleted: true }, 'source.not_found'],
  ])('is refused where its source was %s since it was resolved', async (_what, change, code) => {
    const { workspaceId, type, id: dataSourceId, maxConcurrentExecutions } = source;
    const event = { workspaceId, type, dataSourceId, version: 2, maxConcurrentExecutions, ...change };
    await orchestrator.sourceService.take(event, `msg_${code}`);
    await expect(submitSql(orchestrator, principal, source, 'select 1')).rejects.toMatchObject({
      code,
      path: ['query', 'sql', 'dataSourceId'],
    });
    expect([await countOf('run'), await countOf('execution')]).toEqual([0, 0]);
  });

  it('is refused without the permission for its kind', async () => {
    const viewer = newPrincipal({ permissions: new Set(['saved_query.run']) });
    await expect(submitSql(orchestrator, viewer, source, 'select 1')).rejects.toMatchObject({ code: 'auth.forbidden' });
  });
});

it('a waiting run goes to the first slot that comes', async () => {
  const dispatcher = orchestrator.newDispatcher();
  dispatcher.onApplicationBootstrap();
  const execution = await submitSql(orchestrator, principal, source, 'select 1');
  await new TestWorker(orchestrator).announce(1);
  await until(() => orchestrator.jobs.length === 1);
  expect(orchestrator.jobs).toMatchObject([{ runId: execution.runId, fence: 1 }]);
  await dispatcher.onModuleDestroy();
});

function newUser(id: string): User {
  return {
    ...{ id, name: 'Ada', email: 'ada@example.org', privateReadable: true, disabled: false, version: 1 },
    ...{ roleNames: [], groupNames: [], attributes: {}, createdAt: new Date() },
  };
}

describe('a template', () => {
  const ask = (text: string, parameters: JsonObject) =>
    submitSql(orchestrator, principal, source, text, {
      query: { case: 'sql', value: { dataSourceId: source.id, text, parameters, parameterDefinitions: [] } },
    });

  it('is run as a statement with its values, and a try after it with the same ones', async () => {
    const worker = new TestWorker(orchestrator);
    await worker.announce(1);
    const execution = await ask('select {{ n | int }}, {{ t }}', { n: 3, t: "it's" });
    expect(execution).toMatchObject({ sql: 'select CAST($1 AS integer), $2', parameters: { n: 3, t: "it's" } });
    const values = [
      { type: 'integer', value: '3' },
      { type: 'text', value: "it's" },
    ];
    const [plan] = orchestrator.jobs;
    expect(plan).toMatchObject({ sql: execution.sql, values });
    await worker.claim(plan ?? { runId: '', fence: 0 });
    await orchestrator.finish({ runId: plan?.runId ?? '', fence: 1, outcome: { case: 'released', value: {} } });
    const filled = await orchestrator.dispatch.fill('default', 10);
    expect(filled).toMatchObject({ kind: 'filled', dispatched: [{ plan: { runId: plan?.runId, fence: 2, values } }] });
  });

  it('is shared by equal values and by no others', async () => {
    const [one, same, other] = [
      await ask('select {{ n }}', { n: 1 }),
      await ask('select {{ n }}', { n: 1 }),
      await ask('select {{ n }}', { n: 2 }),
    ];
    expect(same.runId).toBe(one.runId);
    expect(other.runId).not.toBe(one.runId);
  });

  it('reads the address and the attributes of whoever asks, and for a key its maker’s', async () => {
    orchestrator.bus.answer(authRequests.getViewer, () => ({
      ...{ id: principal.userId, permissions: [], attributes: { region: 'north' } },
      user: newUser(principal.userId),
    }));
    const text = "select '{{ user.email }}', {{ user.id }}, {{ user.region }}";
    expect(await ask(text, {})).toMatchObject({ sql: 'select $1, $2, $3' });
    const [row] = await dataSource.query('select bound_values from orchestrator.run');
    expect(row).toEqual({
      bound_values: [
        ['text', 'ada@example.org'],
        ['text', principal.userId],
        ['text', 'north'],
      ],
    });
    principal = { ...principal, apiKeyId: 'key_1' };
    expect(await ask(text, {})).toMatchObject({ cacheStatus: 'SHARED' });
  });

  it('that is refused leaves nothing behind', async () => {
    await expect(ask('select {{ n }}', {})).rejects.toMatchObject({
      code: 'parameter.missing',
      path: ['query', 'sql', 'parameters', 'n'],
    });
    expect(await countOf('execution')).toBe(0);
  });

  it('has its values no longer than its run takes', async () => {
    const worker = new TestWorker(orchestrator);
    await worker.announce(1);
    await ask('select {{ n }}', { n: 1 });
    const [plan] = orchestrator.jobs;
    await worker.claim(plan ?? { runId: '', fence: 0 });
    await worker.succeed(plan ?? { runId: '', fence: 0 });
    expect(await dataSource.query('select bound_values from orchestrator.run')).toEqual([{ bound_values: null }]);
  });
});
