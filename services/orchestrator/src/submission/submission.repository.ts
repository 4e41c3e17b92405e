import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { InjectConfig } from '#libs/config';
import type { CacheStatus, RunPlan } from '#libs/contracts';
import { inTransaction } from '#libs/database';
import {
  activeOfSourceSql,
  DispatchRepository,
  freeSlotsSql,
  planColumns,
  toPlan,
  type PlanRow,
} from '../dispatch/dispatch.repository.js';
import { defaultPool } from '../dispatch/pool.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { joinableStates } from '../run/transitions.js';
import { encodeSource } from '../source/source-snapshot.js';
import { rememberSource } from '../source/source.repository.js';
import type { EarlierCall, Submission, SubmissionOutcome } from './submission.types.js';

/** How often a run may slip away between finding it and joining it. Each time it has ended, so a new one can begin. */
const joinTriesMax = 10;

/** As the index run_flight has it. */
const isJoinable = `state in (${joinableStates.map((state) => `'${state}'`).join(', ')})`;

interface Seat {
  readonly runId: string;
  readonly cacheStatus: CacheStatus;
  readonly plan: RunPlan | undefined;
}

@Injectable()
export class SubmissionRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly dispatch: DispatchRepository,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /** The execution that a call with this key made before. */
  async findEarlierCall(workspaceId: string, callerId: string, key: string): Promise<EarlierCall | undefined> {
    const [row]: { id: string; input_hash: Buffer }[] = await this.dataSource.query(
      `select id, input_hash from orchestrator.execution
       where workspace_id = $1 and caller_id = $2 and idempotency_key = $3`,
      [workspaceId, callerId, key],
    );
    return row && { executionId: row.id, inputHash: row.input_hash };
  }

  /** Begins a run or joins one, and makes the caller's execution: the one commit before the answer. */
  async accept(submission: Submission): Promise<SubmissionOutcome> {
    try {
      return await inTransaction(this.dataSource, async (manager) => {
        const { runId, cacheStatus, plan } = await this.takeSeat(manager, submission);
        if (!(await insertExecution(manager, submission, runId, cacheStatus))) throw new KeyTaken();
        return { kind: 'accepted', cacheStatus, plan };
      });
    } catch (error) {
      // Rolled back, so that no run without an execution stays behind.
      if (error instanceof KeyTaken) return { kind: 'repeated' };
      throw error;
    }
  }

  private async takeSeat(manager: EntityManager, submission: Submission): Promise<Seat> {
    const { isLocked, isKnown } = await this.dispatch.tryLockFor(manager, defaultPool, submission.source);
    if (!isKnown) await rememberSource(manager, submission.source);
    for (let attempt = 0; attempt < joinTriesMax; attempt += 1) {
      const seat = (await this.beginRun(manager, submission, isLocked)) ?? (await joinRun(manager, submission));
      if (seat) return seat;
    }
    throw new Error('an equal run began and ended again and again');
  }

  /**
   * Inserts the run, dispatched at once where we hold the pool's lock, nobody waits, and slot and source are free.
   * Undefined where an equal run is under way.
   */
  private async beginRun(manager: EntityManager, submission: Submission, isLocked: boolean): Promise<Seat | undefined> {
    const { source, limits } = submission;
    const wait = submission.class === 3 ? this.config.queue.waitScheduledMaxSeconds : this.config.queue.waitMaxSeconds;
    const rows: (PlanRow & { state: string })[] = await manager.query(
      `with slot as (
         select $17::boolean
           and not exists (select 1 from orchestrator.lane where pool = $4 and queued > 0)
           and ${freeSlotsSql('$4', '$18')} > 0
           and ${activeOfSourceSql('$4', '$7')} < (
             select max_concurrent_executions from orchestrator.source where id = $7 and not paused)
           as is_free
       ), r as (
         insert into orchestrator.run (id, workspace_id, flight_key, pool, user_id, class, source_id, source, sql,
           rows_max, bytes_max, timeout_ms, request_id, traceparent, attempts_max, queue_deadline,
           state, fence, dispatched_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now() + make_interval(secs => $16),
           case when is_free then 'DISPATCHED' else 'QUEUED' end,
           case when is_free then 1 else 0 end,
           case when is_free then now() end
         from slot
         on conflict (flight_key) where ${isJoinable} do nothing
         returning *
       )
       select ${planColumns}, r.state from r`,
      [
        ...[submission.runId, submission.workspaceId, submission.flightKey, defaultPool, submission.callerId],
        ...[submission.class, source.id, encodeSource(source), submission.sql, limits.rows, limits.bytes],
        ...[limits.timeoutMs, submission.requestId, submission.traceparent, this.config.lease.attemptsMax, wait],
        ...[isLocked, this.config.lease.workerLiveSeconds],
      ],
    );
    const [row] = rows;
    if (!row) return undefined;
    return { runId: row.id, cacheStatus: 'MISS', plan: row.state === 'DISPATCHED' ? toPlan(row) : undefined };
  }
}

class KeyTaken extends Error {}

/**
 * Joins the equal run that is under way. FOR SHARE holds off the last leaver, who takes FOR UPDATE; any number join at
 * once. A run that waits in a less urgent class moves up first.
 */
async function joinRun(manager: EntityManager, submission: Submission): Promise<Seat | undefined> {
  const joinable = `flight_key = $1 and ${isJoinable}`;
  const [found]: { class: number; state: string }[] = await manager.query(
    `select class, state from orchestrator.run where ${joinable}`,
    [submission.flightKey],
  );
  if (found?.state === 'QUEUED' && found.class > submission.class) {
    await manager.query(
      `update orchestrator.run set class = $2 where ${joinable} and state = 'QUEUED' and class > $2`,
      [submission.flightKey, submission.class],
    );
  }
  const [run]: { id: string }[] = await manager.query(`select id from orchestrator.run where ${joinable} for share`, [
    submission.flightKey,
  ]);
  return run && { runId: run.id, cacheStatus: 'SHARED', plan: undefined };
}

async function insertExecution(
  manager: EntityManager,
  submission: Submission,
  runId: string,
  cacheStatus: CacheStatus,
): Promise<boolean> {
  const rows: unknown[] = await manager.query(
    `insert into orchestrator.execution (id, run_id, workspace_id, caller_id, cache_status, class, saved_query_id,
       trace_id, idempotency_key, input_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (workspace_id, caller_id, idempotency_key) where idempotency_key is not null do nothing
     returning 1`,
    [
      ...[submission.executionId, runId, submission.workspaceId, submission.callerId, cacheStatus, submission.class],
      ...[submission.savedQueryId ?? null, submission.traceId ?? null],
      ...[submission.idempotency?.key ?? null, submission.idempotency?.inputHash ?? null],
    ],
  );
  return rows.length === 1;
}
