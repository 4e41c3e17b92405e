import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metadataRequests, type Execution, type SourceConnection } from '#libs/contracts';
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
  orchestrator = startOrchestrator(dataSource, { history: { keepDays: 10 } });
  worker = new TestWorker(orchestrator);
  await worker.announce(8);
  be(newPrincipal());
});

/** Who asks from now on. */
function be(who: Principal): void {
  principal = who;
  source = newSource(who.workspaceId);
  answerAround(orchestrator.bus, source);
}

const ask = (text = 'select 1'): Promise<Execution> => submitSql(orchestrator, principal, source, text);

async function finished(text?: string): Promise<Execution> {
  const execution = await ask(text);
  await worker.claim({ runId: execution.runId, fence: 1 });
  await worker.succeed({ runId: execution.runId, fence: 1 });
  return execution;
}

async function age(days: number): Promise<void> {
  await dataSource.query(
    `update orchestrator.run set finished_at = finished_at - make_interval(days => $1),
       claimed_at = claimed_at - make_interval(days => $1)`,
    [days],
  );
  await dataSource.query(
    `update orchestrator.execution set submitted_at = submitted_at - make_interval(days => $1),
       own_finished_at = own_finished_at - make_interval(days => $1)`,
    [days],
  );
}

async function idsIn(table: 'run' | 'execution'): Promise<string[]> {
  const rows: { id: string }[] = await dataSource.query(
    `select id from orchestrator.${table} order by submitted_at, id`,
  );
  return rows.map(({ id }) => id);
}

describe('the history', () => {
  it('is kept for as long as is set, and then deleted with its runs', async () => {
    await finished();
    await age(9);
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toHaveLength(1);
    await age(2);
    await orchestrator.history.purge();
    expect([await idsIn('execution'), await idsIn('run')]).toEqual([[], []]);
  });

  it('of a workspace is kept for as long as that workspace says', async () => {
    await finished();
    const brief = principal;
    be(newPrincipal());
    const long = await finished();
    const longWorkspace = principal.workspaceId;
    be(newPrincipal());
    await finished();
    orchestrator.bus.answer(metadataRequests.listHistoryRetentions, () => ({
      retentions: [
        { workspaceId: brief.workspaceId, days: 3 },
        { workspaceId: longWorkspace, days: 100 },
      ],
    }));
    await age(5);
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toHaveLength(2);
    await age(10);
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toEqual([long.id]);
  });

  it('keeps what is not over, however old', async () => {
    const running = await ask('select 2');
    await worker.claim({ runId: running.runId, fence: 1 });
    const waiting = await ask('select 3');
    await age(400);
    await orchestrator.history.purge();
    expect((await idsIn('execution')).toSorted()).toEqual([running.id, waiting.id].toSorted());
  });

  it('keeps the answers of a kept result that are younger than its run, readable as they were', async () => {
    const first = await finished();
    await age(11);
    await dataSource.query(`update orchestrator.run set claimed_at = now() - interval '1 minute'`);
    const hit = await ask();
    expect(hit.cacheStatus).toBe('HIT');
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toEqual([hit.id]);
    expect(await idsIn('run')).toEqual([first.runId]);
    expect(await orchestrator.executions.get(hit.id, principal)).toMatchObject({ rows: 3, cacheStatus: 'HIT' });
  });

  it('keeps a run that may still answer, though nobody has asked for it in the time of the history', async () => {
    orchestrator.bus.answer(metadataRequests.listHistoryRetentions, () => ({
      retentions: [{ workspaceId: principal.workspaceId, days: 1 }],
    }));
    await finished();
    await age(1);
    await dataSource.query(`update orchestrator.run set claimed_at = now() - interval '1 minute'`);
    await dataSource.query(`update orchestrator.run set finished_at = now() - interval '26 hours'`);
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toEqual([]);
    expect((await ask()).cacheStatus).toBe('HIT');
  });

  it('of one workspace says nothing of what another’s order has lost', async () => {
    const other = newPrincipal();
    const start = await orchestrator.executions.listFinished({ limit: 10 }, other);
    await finished();
    await age(11);
    await orchestrator.history.purge();
    const after = start.position;
    expect((await orchestrator.executions.listFinished({ after, limit: 10 }, principal)).skipped).toBe(true);
    expect((await orchestrator.executions.listFinished({ after, limit: 10 }, other)).skipped).toBe(false);
  });

  it('is left alone while it cannot be learned what the workspaces want, and while another deletes', async () => {
    await finished();
    await age(11);
    orchestrator.bus.answer(metadataRequests.listHistoryRetentions, () => Promise.reject(new Error('away')));
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toHaveLength(1);
    answerAround(orchestrator.bus, source);
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`select pg_advisory_xact_lock(hashtextextended('orchestrator.history', 0))`);
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toHaveLength(1);
    await runner.rollbackTransaction();
    await runner.release();
    await orchestrator.history.purge();
    expect(await idsIn('execution')).toEqual([]);
  });

  it('goes in batches, to the last', async () => {
    const [first] = [await finished()];
    await dataSource.query(
      `insert into orchestrator.execution (id, run_id, workspace_id, caller_id, cache_status, class)
       select 'exe_' || n, $1, $2, 'usr', 'SHARED', 1 from generate_series(1, 1200) n`,
      [first?.runId, principal.workspaceId],
    );
    await age(11);
    await orchestrator.history.purge();
    expect([await idsIn('execution'), await idsIn('run')]).toEqual([[], []]);
  });
});
