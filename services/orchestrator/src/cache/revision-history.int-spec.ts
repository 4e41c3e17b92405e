import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Execution, SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { startPostgres, type PostgresServer } from '#libs/testing';
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
let worker: TestWorker;

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
  // As long as can be set at all.
  orchestrator = startOrchestrator(dataSource, { cache: { ttlMaxSeconds: 7 * 86_400 } });
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  worker = new TestWorker(orchestrator);
  await worker.announce(8);
});

const longest = { maxAgeSeconds: 7 * 86_400, staleWhileRevalidateSeconds: 7 * 86_400 };
const ask = (): Promise<Execution> => submitSql(orchestrator, principal, source, 'select 1', { cache: longest });

async function begun(): Promise<Execution> {
  const execution = await ask();
  await worker.claim({ runId: execution.runId, fence: 1 });
  return execution;
}

const end = ({ runId }: Execution): Promise<boolean> => worker.succeed({ runId, fence: 1 });

function invalidate(): Promise<number> {
  const input = { dataSourceIds: [source.id], savedQueryIds: [], tags: [], tables: [] };
  return orchestrator.cache.invalidate(input, principal);
}

async function revisions(): Promise<number> {
  const [row]: { count: number }[] = await dataSource.query(
    'select count(*)::int as count from orchestrator.cache_revision',
  );
  return row?.count ?? 0;
}

/** As if everything had happened so much earlier. */
async function pass(days: number): Promise<void> {
  await dataSource.query('update orchestrator.cache_horizon set noted_at = noted_at - make_interval(days => $1)', [
    days,
  ]);
  await dataSource.query(
    `update orchestrator.run set claimed_at = claimed_at - make_interval(days => $1),
       finished_at = finished_at - make_interval(days => $1)`,
    [days],
  );
}

const purge = (): Promise<void> => orchestrator.history.purge();

describe('what was invalidated', () => {
  it('is forgotten once no run from before may answer', async () => {
    await end(await begun());
    await invalidate();
    await purge();
    await pass(16);
    await purge();
    expect(await revisions()).toBe(0);
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('is kept while a run from before is young enough to answer, and keeps it from it', async () => {
    await end(await begun());
    await invalidate();
    await purge();
    await pass(13);
    await purge();
    expect(await revisions()).toBe(1);
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('is kept while a run from before is under way, however long: nobody joins it, and its result answers nobody', async () => {
    const execution = await begun();
    await invalidate();
    await purge();
    await pass(16);
    await purge();
    expect(await revisions()).toBe(1);
    await dataSource.query('update orchestrator.run set claimed_at = now()');
    const other = await ask();
    expect([other.cacheStatus, other.runId === execution.runId]).toEqual(['MISS', false]);
    await end(execution);
    await worker.claim({ runId: other.runId, fence: 1 });
    expect((await ask()).runId).toBe(other.runId);
  });

  it('is kept from the note on which it rests: a later one says nothing of what was invalidated behind it', async () => {
    await purge();
    await end(await begun());
    await invalidate();
    await pass(16);
    await dataSource.query(`update orchestrator.run set claimed_at = now(), finished_at = now()`);
    await purge();
    expect(await revisions()).toBe(1);
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('and once more since stays', async () => {
    await invalidate();
    await purge();
    await pass(16);
    await end(await begun());
    await invalidate();
    await purge();
    expect(await revisions()).toBe(1);
    expect((await ask()).cacheStatus).toBe('MISS');
  });

  it('waits for nobody who is invalidating it at that moment, and stays with its new revision', async () => {
    await invalidate();
    await purge();
    await pass(16);
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`update orchestrator.cache_revision set revision = nextval('orchestrator.cache_revision_seq')`);
    await purge();
    await runner.commitTransaction();
    await runner.release();
    await purge();
    expect(await revisions()).toBe(1);
  });

  it('is looked through in batches, to the last', async () => {
    await dataSource.query(
      `insert into orchestrator.cache_revision (workspace_id, subject, revision)
       select $1 || n % 3, 'tag:' || n, 1 from generate_series(1, 1200) n`,
      [principal.workspaceId],
    );
    await purge();
    await pass(16);
    await purge();
    expect(await revisions()).toBe(0);
  });
});
