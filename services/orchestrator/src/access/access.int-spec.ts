import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  accessRequests,
  metadataRequests,
  workerRequests,
  type AccessLevel,
  type Execution,
  type Restriction,
  type SavedQuery,
  type SourceConnection,
} from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newContext,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import { EstimateService } from '../estimate/estimate.service.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let query: SavedQuery;
let worker: TestWorker;
let restrictions: Restriction[];
let accessRevision: number;

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
  principal = newPrincipal({ permissions: new Set(['query.run', 'saved_query.run', 'data_source.read'] as const) });
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  query = newQuery('select 42 as secret');
  restrictions = [];
  accessRevision = 0;
  orchestrator.bus.answer(accessRequests.listRestrictions, () => ({ revision: 1, accessRevision, restrictions }));
  orchestrator.bus.answer(metadataRequests.resolveRunnable, ({ subject }) => ({
    source,
    revision: 1,
    ...(subject.case === 'savedQueryId' ? { savedQuery: query } : {}),
  }));
  worker = new TestWorker(orchestrator);
  await worker.announce(10);
});

function newQuery(sql: string): SavedQuery {
  return {
    ...{ id: newId('savedQuery'), dataSourceId: source.id, name: 'Q', sql, parameters: [], tags: [] },
    ...{ version: 1, createdAt: new Date(), updatedAt: new Date() },
  };
}

/** As metadata tells it: what is restricted from now on, and what the caller's grants on it are. */
function restrict(levels: Record<string, AccessLevel | undefined>): void {
  accessRevision += 1;
  restrictions = Object.entries(levels).map(([assetId, level]) => ({
    assetId,
    grants: level ? [{ grantee: { kind: 'USER', key: principal.userId }, level, opensSource: true }] : [],
  }));
}

async function runQuery(by = principal): Promise<Execution> {
  const { execution } = await orchestrator.submit.submit(
    { query: { case: 'savedQuery', value: { id: query.id } }, priority: 'INTERACTIVE', queryOptions: [] },
    by,
    newContext(by),
  );
  return execution;
}

async function outcome(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof AppError ? `${error.code} ${error.path.join('.')}` : String(error)),
  );
}

async function seen(by = principal): Promise<string[]> {
  const page = { first: 100 };
  const list = await orchestrator.executions.list({ page, states: [] }, by);
  return list.executions.map(({ id }) => id);
}

describe('a role or grant that is taken away', () => {
  it('holds on the next question, though what may be run is remembered', async () => {
    expect(await outcome(submitSql(orchestrator, principal, source, 'select 1'))).toBe('done');
    expect(await outcome(runQuery())).toBe('done');
    restrict({ [source.id]: undefined });
    const bySource = submitSql(orchestrator, principal, source, 'select 1');
    expect(await outcome(bySource)).toBe('source.not_found query.sql.dataSourceId');
    expect(await outcome(runQuery())).toBe('saved_query.not_found query.savedQuery.id');
    restrict({ [source.id]: 'DISCOVER' });
    expect(await outcome(submitSql(orchestrator, principal, source, 'select 1'))).toBe(
      'auth.forbidden query.sql.dataSourceId',
    );
    restrict({ [source.id]: 'RUN' });
    expect(await outcome(submitSql(orchestrator, principal, source, 'select 1'))).toBe('done');
  });

  it('takes with it what was answered: by id, in lists, in the order of ends, and for cancelling', async () => {
    const adHoc = await submitSql(orchestrator, principal, source, 'select 1');
    const saved = await runQuery();
    const start = await orchestrator.executions.listFinished({ limit: 10 }, principal);
    for (const { runId, fence } of [adHoc, saved]) {
      await worker.claim({ runId, fence });
      await worker.succeed({ runId, fence });
    }
    const all = [saved.id, adHoc.id];
    expect(await seen()).toEqual(all);
    const ends = async (): Promise<number> =>
      (await orchestrator.executions.listFinished({ after: start.position, limit: 10 }, principal)).finished.length;
    expect(await ends()).toBe(2);
    restrict({ [query.id]: undefined });
    expect(await seen()).toEqual([adHoc.id]);
    restrict({ [source.id]: undefined, [query.id]: 'RUN' });
    expect(await seen()).toEqual([saved.id]);
    restrict({ [source.id]: undefined });
    expect(await seen()).toEqual([]);
    expect(await orchestrator.executions.getMany(all, principal)).toEqual([]);
    expect(await ends()).toBe(0);
    expect(await outcome(orchestrator.cancels.cancel(adHoc.id, principal))).toBe('run.not_found id');
  });

  it('hides it from those who see everyone’s executions, too', async () => {
    const { id } = await submitSql(orchestrator, principal, source, 'select 1');
    const editor = newPrincipal({ workspaceId: principal.workspaceId, permissions: new Set(['execution.read']) });
    expect(await seen(editor)).toEqual([id]);
    restrict({ [source.id]: undefined });
    expect(await seen(editor)).toEqual([]);
  });
});

describe('who only runs a saved query', () => {
  beforeEach(() => restrict({ [query.id]: 'RUN' }));

  it('is told neither its statement nor finds it by searching', async () => {
    const told = await runQuery();
    expect(told.sql).toBeUndefined();
    expect((await orchestrator.executions.get(told.id, principal)).sql).toBeUndefined();
    const search = async (): Promise<number> => {
      const found = { page: { first: 10 }, states: [], search: 'secret' };
      return (await orchestrator.executions.list(found, principal)).executions.length;
    };
    expect(await search()).toBe(0);
    restrict({ [query.id]: 'EDIT' });
    expect((await orchestrator.executions.get(told.id, principal)).sql).toBe(query.sql);
    expect(await search()).toBe(1);
  });

  it('finds by searching only what it is shown, with a key that is confined and without its source', async () => {
    restrict({});
    const { id } = await runQuery();
    const found = async (by: Principal): Promise<string[]> => {
      const list = await orchestrator.executions.list({ page: { first: 10 }, states: [], search: 'secret' }, by);
      return list.executions.map((execution) => execution.id);
    };
    expect(await found(principal)).toEqual([id]);
    const confined = { ...principal, reach: { dataSourceIds: [], savedQueryIds: [query.id] } };
    expect((await orchestrator.executions.get(id, confined)).sql).toBeUndefined();
    expect(await found(confined)).toEqual([]);
    // Its grant opens the query where its source is closed, and still says nothing of what that holds.
    restrict({ [source.id]: undefined, [query.id]: 'EDIT' });
    expect((await orchestrator.executions.get(id, principal)).sql).toBeUndefined();
    expect(await found(principal)).toEqual([]);
    restrict({ [source.id]: 'RUN', [query.id]: 'EDIT' });
    expect((await orchestrator.executions.get(id, principal)).sql).toBe(query.sql);
    expect(await found(principal)).toEqual([id]);
  });

  it('learns nothing of it from what it fails with at its source', async () => {
    const { id, runId, fence } = await runQuery();
    await worker.claim({ runId, fence });
    const error = {
      code: 'run.query_failed',
      message: 'column "salary" does not exist',
      retryable: false,
      sourceCode: '42703',
    };
    await orchestrator.finish({ runId, fence, outcome: { case: 'failed', value: { error, transient: false } } });
    const told = await orchestrator.executions.get(id, principal);
    expect(told.error).toMatchObject({ code: 'run.query_failed' });
    expect(JSON.stringify(told)).not.toMatch(/salary|42703/);
    restrict({ [query.id]: 'EDIT' });
    const { error: shown } = await orchestrator.executions.get(id, principal);
    expect(shown).toMatchObject({ sourceCode: '42703', message: expect.stringContaining('salary') });
  });

  it('learns nothing of it from what its source says when it is only estimated', async () => {
    orchestrator.bus.answer(workerRequests.estimateStatement, () => {
      const details = { sourceCode: '42703' };
      throw new AppError('run.query_failed', 'column "salary" does not exist', { details });
    });
    const estimates = new EstimateService(orchestrator.questions, orchestrator.bus.asClient());
    const refusal = async (): Promise<unknown> =>
      estimates
        .estimate(
          { query: { case: 'savedQuery', value: { id: query.id } }, queryOptions: [] },
          principal,
          newContext(principal),
        )
        .catch((error: unknown) => error);
    expect(await refusal()).toMatchObject({
      code: 'run.query_failed',
      publicMessage: 'The saved query failed. Those who may edit it are told why.',
      details: undefined,
    });
    restrict({ [query.id]: 'EDIT' });
    expect(await refusal()).toMatchObject({ publicMessage: 'column "salary" does not exist' });
  });

  it('learns nothing of it from why it is refused', async () => {
    query = { ...query, sql: 'delete from salaries returning {{ x }' };
    const refused: unknown = await runQuery().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'sql.rejected', path: ['query', 'savedQuery', 'id'] });
    expect(refused instanceof AppError && refused.publicMessage).toBe(
      'The saved query cannot be run. Those who may edit it are told why.',
    );
  });
});

describe('a key that is confined to one saved query', () => {
  it('runs that alone, and sees its executions alone', async () => {
    await submitSql(orchestrator, principal, source, 'select 1');
    const confined = { ...principal, reach: { dataSourceIds: [], savedQueryIds: [query.id] } };
    const { id, sql } = await runQuery(confined);
    expect(sql).toBeUndefined();
    expect(await seen(confined)).toEqual([id]);
    expect(await outcome(submitSql(orchestrator, confined, source, 'select 2'))).toMatch('source.not_found');
    const other = { ...principal, reach: { dataSourceIds: [], savedQueryIds: [newId('savedQuery')] } };
    expect(await outcome(runQuery(other))).toMatch('saved_query.not_found');
    expect(await seen(other)).toEqual([]);
  });
});

it('nobody is let in while nobody can say who reaches what', async () => {
  orchestrator.bus.answer(accessRequests.listRestrictions, () => {
    throw new AppError('bus.timeout', 'No answer.', { retryable: true });
  });
  expect(await outcome(submitSql(orchestrator, principal, source, 'select 1'))).toMatch('bus.timeout');
  expect(await outcome(seen())).toMatch('bus.timeout');
});

describe('an embedded guest', () => {
  function guestOf(parameters: Record<string, string>, attributes: Record<string, string> = {}): Principal {
    return newPrincipal({
      ...{ userId: newId('guest'), workspaceId: principal.workspaceId, permissions: new Set(['saved_query.run']) },
      reach: { dataSourceIds: [], savedQueryIds: [query.id] },
      guest: { mintedById: principal.userId, parameters, attributes, timeZone: 'Pacific/Kiritimati' },
    });
  }

  const text = { multiple: false, required: true } as const;

  it('runs with the values and attributes that it was given, and asks nobody who it is', async () => {
    query = {
      ...query,
      sql: 'select {{ customer }}, {{ user.region }}',
      parameters: [{ name: 'customer', type: 'TEXT', ...text }],
    };
    restrict({ [query.id]: 'RUN', [source.id]: undefined });
    const guest = guestOf({ customer: 'acme' }, { region: 'west' });
    const { id, runId } = await runQuery(guest);
    expect((await orchestrator.executions.get(id, guest)).parameters).toEqual({ customer: 'acme' });
    const [plan] = orchestrator.jobs.filter((job) => job.runId === runId);
    expect(plan?.values.map(({ value }) => value)).toEqual(['acme', 'west']);
    expect(await seen(guest)).toEqual([id]);
    expect(await seen(guestOf({ customer: 'acme' }))).toEqual([]);
  });

  it('chooses none of the values that were given for it, and leaves none of them out', async () => {
    query = { ...query, sql: 'select {{ customer }}', parameters: [{ name: 'customer', type: 'TEXT', ...text }] };
    const guest = guestOf({ customer: 'acme' });
    const own = orchestrator.submit.submit(
      {
        query: { case: 'savedQuery', value: { id: query.id, parameters: { customer: 'other' } } },
        ...{ priority: 'INTERACTIVE', queryOptions: [] },
      },
      guest,
      newContext(guest),
    );
    expect(await outcome(own)).toBe('parameter.invalid query.savedQuery.parameters.customer');
    query = { ...query, sql: 'select 1', parameters: [] };
    expect(await outcome(runQuery(guest))).toMatch(/^parameter\.invalid/);
  });

  it('has today where it was told, unless the question says where', async () => {
    query = {
      ...query,
      sql: 'select {{ day }}',
      parameters: [{ name: 'day', type: 'DATE', ...text, default: 'today' }],
    };
    const { parameters } = await runQuery(guestOf({}));
    const there = new Intl.DateTimeFormat('en-CA', { timeZone: 'Pacific/Kiritimati' }).format(new Date());
    expect(parameters).toEqual({ day: there });
  });
});
