import pg from 'pg';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FinishedPosition, SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
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
let url: string;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let worker: TestWorker;
let texts = 0;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase();
  dataSource = await openDatabase(url);
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
  worker = new TestWorker(orchestrator);
  await worker.announce(100);
});

async function begin(who: Principal = principal): Promise<{ id: string; runId: string }> {
  const execution = await submitSql(orchestrator, who, source, `select ${(texts += 1)}`);
  // While somebody else takes slots of the pool, it waits for the dispatcher.
  await until(() => worker.claim({ runId: execution.runId, fence: 1 }));
  return execution;
}

async function finished(who: Principal = principal): Promise<string> {
  const { id, runId } = await begin(who);
  await worker.succeed({ runId, fence: 1 });
  return id;
}

const listFrom = (after: FinishedPosition | undefined, limit = 500, who = principal) =>
  orchestrator.executions.listFinished({ ...(after ? { after } : {}), limit }, who);

async function now(): Promise<FinishedPosition> {
  const { position } = await listFrom(undefined);
  if (!position) throw new Error('no position was told');
  return position;
}

/** Reads page by page to the end. */
async function readAll(after: FinishedPosition, limit: number, who = principal): Promise<string[]> {
  const ids: string[] = [];
  for (let position: FinishedPosition | undefined = after; ;) {
    const page: Awaited<ReturnType<typeof listFrom>> = await listFrom(position, limit, who);
    if (page.finished.length === 0) return ids;
    ids.push(...page.finished.map(({ execution }) => execution?.id ?? ''));
    position = page.position;
  }
}

describe('the finished order', () => {
  it('begins now, and lists the caller’s own ends once each, in their order', async () => {
    await finished();
    const start = await now();
    const ids = [await finished(), await finished(), await finished()];
    await finished(newPrincipal({ workspaceId: principal.workspaceId }));
    expect(await readAll(start, 500)).toEqual(ids);
    expect(await readAll(start, 1)).toEqual(ids);
    expect(await listFrom(start)).toMatchObject({
      skipped: false,
      finished: [{ execution: { state: 'SUCCEEDED' } }, {}, {}],
    });
  });

  it('cannot be crossed by a commit: what a long transaction ends is listed neither early nor never', async () => {
    const start = await now();
    const slow = await begin();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('begin');
    await client.query(
      `update orchestrator.run set state = 'FAILED', finished_at = now(), finished_xid = pg_current_xact_id(),
         finished_seq = nextval('orchestrator.finished_seq'), lease_until = null where id = $1`,
      [slow.runId],
    );
    const quick = await finished();
    // The quick one is committed, but an older transaction may still come before it.
    const page = await listFrom(start);
    expect(page.finished).toEqual([]);
    await client.query('commit');
    await client.end();
    expect(await readAll(page.position ?? start, 500)).toEqual([slow.id, quick]);
  });

  it('tells of those who left a shared run, and of those who stayed, once each', async () => {
    const start = await now();
    const text = `select ${(texts += 1)}`;
    const mine = await submitSql(orchestrator, principal, source, text);
    const again = await submitSql(orchestrator, principal, source, text);
    await worker.claim({ runId: mine.runId, fence: 1 });
    await orchestrator.cancels.cancel(mine.id, principal);
    expect(await readAll(start, 500)).toEqual([mine.id]);
    await worker.succeed({ runId: mine.runId, fence: 1 });
    expect(await readAll(start, 500)).toEqual([mine.id, again.id]);
  });

  it('tells executions of one run apart, so that a page may end between them', async () => {
    const start = await now();
    const text = `select ${(texts += 1)}`;
    const same = await Promise.all(Array.from({ length: 7 }, () => submitSql(orchestrator, principal, source, text)));
    const runId = same[0]?.runId ?? '';
    // Where another of the seven held the pool, the run waits for a dispatcher.
    await orchestrator.dispatch.fill('default', 32);
    expect(await worker.claim({ runId, fence: 1 })).toBe(true);
    await worker.succeed({ runId, fence: 1 });
    const last = await finished();
    for (const limit of [1, 2, 3, 500]) {
      const ids = await readAll(start, limit);
      expect(ids).toHaveLength(8);
      expect(new Set(ids)).toEqual(new Set([...same.map(({ id }) => id), last]));
    }
  });

  it('is read exactly once by who goes on from each position, while many end at once', async () => {
    const start = await now();
    const begun = [];
    for (let n = 0; n < 40; n += 1) begun.push(await begin());
    const read: string[] = [];
    let position = start;
    const ends = Promise.all(begun.map(({ runId }) => worker.succeed({ runId, fence: 1 })));
    let isOver = false;
    void ends.then(() => (isOver = true));
    for (let isLast = false; !isLast;) {
      isLast = isOver;
      const page = await listFrom(position, 3);
      read.push(...page.finished.map(({ execution }) => execution?.id ?? ''));
      position = page.position ?? position;
      if (page.finished.length > 0) isLast = false;
    }
    expect(read).toHaveLength(40);
    expect(new Set(read)).toEqual(new Set(begun.map(({ id }) => id)));
  });

  it('says so where it reaches back further than is kept', async () => {
    const start = await now();
    await finished();
    await dataSource.query(`update orchestrator.run set finished_at = now() - interval '40 days'`);
    await dataSource.query(`update orchestrator.execution set submitted_at = now() - interval '40 days'`);
    await orchestrator.history.purge();
    const kept = await finished();
    const page = await listFrom(start);
    expect(page.skipped).toBe(true);
    expect(page.finished.map(({ execution }) => execution?.id)).toEqual([kept]);
    expect((await listFrom(page.position)).skipped).toBe(false);
  });

  it('refuses a place that is none', async () => {
    await expect(listFrom({ xid: 'x', sequence: 0 })).rejects.toMatchObject({ code: 'input.cursor_invalid' });
    await expect(listFrom(await now(), 0)).rejects.toMatchObject({ code: 'input.invalid', path: ['limit'] });
  });
});

describe('the list of executions', () => {
  const list = (more: Partial<Parameters<Orchestrator['executions']['list']>[0]> = {}, who = principal) =>
    orchestrator.executions.list({ page: { first: 100 }, states: [], ...more }, who);
  const idsOf = (page: Awaited<ReturnType<typeof list>>): string[] => page.executions.map(({ id }) => id);

  it('is newest first, page by page without gap or repeat', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) ids.unshift((await begin()).id);
    const read: string[] = [];
    for (let after: string | undefined; ;) {
      const page: Awaited<ReturnType<typeof list>> = await list({ page: { first: 3, ...(after ? { after } : {}) } });
      read.push(...idsOf(page));
      if (!page.pageInfo?.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(read).toEqual(ids);
  });

  it('shows others only to who may read them', async () => {
    const mine = await begin();
    const colleague = newPrincipal({ workspaceId: principal.workspaceId });
    const theirs = await begin(colleague);
    expect(idsOf(await list())).toEqual([mine.id]);
    const editor = { ...principal, permissions: new Set(['execution.read']) as Principal['permissions'] };
    expect(idsOf(await list({}, editor))).toEqual([theirs.id, mine.id]);
  });

  it('filters by the states that callers see', async () => {
    const done = await finished();
    const dispatched = await submitSql(orchestrator, principal, source, `select ${(texts += 1)}`);
    const [left] = [await begin()];
    const other = newPrincipal({ workspaceId: principal.workspaceId });
    await submitSql(orchestrator, other, source, `select ${texts}`);
    await orchestrator.cancels.cancel(left.id, principal);
    expect(idsOf(await list({ states: ['QUEUED'] }))).toEqual([dispatched.id]);
    expect(idsOf(await list({ states: ['SUCCEEDED'] }))).toEqual([done]);
    expect(idsOf(await list({ states: ['CANCELED'] }))).toEqual([left.id]);
    expect(idsOf(await list({ states: ['RUNNING'] }))).toEqual([]);
  });

  it('refuses a cursor of other filters', async () => {
    await begin();
    await begin();
    const page = await list({ page: { first: 1 } });
    const after = page.pageInfo?.endCursor;
    await expect(list({ page: { first: 1, ...(after ? { after } : {}) }, states: ['FAILED'] })).rejects.toMatchObject({
      code: 'input.cursor_invalid',
      path: ['after'],
    });
  });
});
