import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metadataRequests, type SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newContext,
  newPrincipal,
  newSource,
  startOrchestrator,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import type { Submitted } from '../submission/submit.service.js';
import { RepeatedHitsRepository } from './repeated-hits.repository.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let repeatedHits: RepeatedHitsRepository;
let principal: Principal;
let source: SourceConnection;

beforeAll(async () => {
  // What no commit has waited for stays off the disk for long enough to be seen.
  server = await startPostgres({ flags: ['-c', 'wal_writer_delay=10s', '-c', 'autovacuum=off'] });
  dataSource = await openDatabase(await server.createDatabase());
});

afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  orchestrator = startOrchestrator(dataSource);
  repeatedHits = new RepeatedHitsRepository(dataSource);
  principal = newPrincipal();
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  const worker = new TestWorker(orchestrator);
  await worker.announce(8);
  const { runId } = (await submit()).execution;
  await worker.claim({ runId, fence: 1 });
  await worker.succeed({ runId, fence: 1 });
});

function setDurableHits(durableHits: boolean): void {
  const settings = { durableHits, userQuotas: {}, workspaceQuotas: {}, version: 2 };
  orchestrator.bus.answer(metadataRequests.resolveRunnable, () => ({ source, settings, revision: 2 }));
}

function submit(idempotencyKey?: string): Promise<Submitted> {
  const sql = { dataSourceId: source.id, text: 'select 1', parameterDefinitions: [] };
  return orchestrator.submit.submit(
    { query: { case: 'sql', value: sql }, priority: 'INTERACTIVE', queryOptions: [], idempotencyKey },
    principal,
    newContext(principal),
  );
}

/** Asks once more as a gateway does: what may be repeated is, all else is submitted. */
async function askAgain({ execution, repeatableAtRevision }: Submitted, idempotencyKey?: string): Promise<void> {
  expect(execution.cacheStatus).toBe('HIT');
  if (repeatableAtRevision === undefined) {
    expect((await submit(idempotencyKey)).execution.cacheStatus).toBe('HIT');
    return;
  }
  const { workspaceId, userId: callerId } = principal;
  const hit = { executionId: newId('execution'), workspaceId, callerId, hitId: execution.id, revision: 2 };
  expect((await repeatedHits.repeat([hit])).size).toBe(1);
}

/** Whether something that was written by `work` was on the disk when it ended. */
async function reachesDisk(work: () => Promise<void>): Promise<boolean> {
  const [written]: { lsn: string }[] = await dataSource.query('select pg_current_wal_insert_lsn() as lsn');
  await work();
  const [flushed]: { is: boolean }[] = await dataSource.query(
    'select pg_current_wal_flush_lsn() > $1::pg_lsn as "is"',
    [written?.lsn],
  );
  return flushed?.is ?? false;
}

async function eachReachesDisk(first: Submitted, keyOf = (_index: number): string | undefined => undefined) {
  const each: boolean[] = [];
  // The server writes by itself now and then, which is no reason for one of them to be there.
  for (let index = 0; index < 5; index += 1) each.push(await reachesDisk(() => askAgain(first, keyOf(index))));
  return each;
}

describe('the record of a hit', () => {
  it('is not waited for by default', async () => {
    const first = await submit();
    expect(first.repeatableAtRevision).toBeDefined();
    expect(await eachReachesDisk(first)).toContain(false);
  });

  it('is on the disk before the answer in a workspace that wants durable hits, and no longer once it does not', async () => {
    setDurableHits(true);
    expect(await eachReachesDisk(await submit())).not.toContain(false);
    setDurableHits(false);
    expect(await eachReachesDisk(await submit())).toContain(false);
  });

  it('is on the disk before the answer to a call with an idempotency key', async () => {
    expect(await eachReachesDisk(await submit('first'), (index) => `again ${index}`)).not.toContain(false);
  });
});
