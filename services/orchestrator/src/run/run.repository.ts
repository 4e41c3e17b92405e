import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { runFinished, type RunError, type SourceHandle } from '#libs/contracts';
import { OutboxRepository, retryingLostRaces } from '#libs/database';
import { moveRun, type MoveValues } from './run-move.repository.js';
import { runColumns, toRun, type RunRow } from './run.row.js';
import type { CancelReason, EndedTry, Run, RunTry } from './run.types.js';
import { transitions, type FinishName } from './transitions.js';

export interface RunEnd {
  readonly rows?: number;
  readonly bytes?: number;
  readonly error?: RunError;
}

export interface RetryPlan {
  readonly delayMs: number;
  readonly queueWaitSeconds: number;
  readonly error: RunError | undefined;
}

/** The moves of single runs. Each is one statement, or one transaction where an event belongs to it. */
@Injectable()
export class RunRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly outbox: OutboxRepository,
  ) {}

  async find(id: string): Promise<Run | undefined> {
    const rows: RunRow[] = await this.dataSource.query(`select ${runColumns} from orchestrator.run r where r.id = $1`, [
      id,
    ]);
    const [row] = rows;
    return row && toRun(row);
  }

  /** Gives the run to a worker. Asked again with the same handle, it answers the same: the first reply may be lost. */
  async claim(
    runTry: RunTry,
    workerId: string,
    handle: SourceHandle,
    leaseSeconds: number,
  ): Promise<{ run: Run; isNew: boolean } | undefined> {
    const values = JSON.stringify(handle.values);
    const run = await moveRun(this.dataSource.manager, runTry, 'claim', {
      set: [
        'worker_id = $4',
        'source_handle = $5::jsonb',
        'lease_until = now() + make_interval(secs => $6)',
        'attempts = attempts + 1',
        'claimed_at = now()',
        // From before the source is read: what is invalidated from now on makes this run's rows old.
        'cache_revision = (select last_value from orchestrator.cache_revision_seq)',
        'started_at = coalesce(started_at, now())',
        "deadline = now() + timeout_ms * interval '1 millisecond'",
        'unclaimed_count = 0',
        // What the last try failed with says nothing of this one.
        'error_code = null',
      ],
      parameters: [workerId, values, leaseSeconds],
    });
    if (run) return { run, isNew: true };
    const rows: RunRow[] = await this.dataSource.query(
      `select ${runColumns} from orchestrator.run r
       where r.id = $1 and r.fence = $2 and r.state = 'RUNNING' and r.worker_id = $3 and r.source_handle = $4::jsonb`,
      [runTry.id, runTry.fence, workerId, values],
    );
    const [row] = rows;
    return row && { run: toRun(row), isNew: false };
  }

  /** The final state and its one event, in one statement. */
  async finish(ended: EndedTry, name: FinishName, end: RunEnd = {}): Promise<Run | undefined> {
    return retryingLostRaces(() => this.finishIn(this.dataSource.manager, ended, name, end));
  }

  /** The same within a transaction of the caller's. */
  async finishIn(
    manager: EntityManager,
    { workspaceId, requestId, ...runTry }: EndedTry,
    name: FinishName,
    { rows, bytes, error }: RunEnd = {},
  ): Promise<Run | undefined> {
    const event = this.outbox.insertion(
      manager,
      runFinished,
      { runId: runTry.id, workspaceId, fence: runTry.fence, state: transitions[name].to },
      { workspaceId, requestId },
      { first: 12, each: 'r' },
    );
    const run = await moveRun(manager, runTry, name, {
      set: [
        'rows = coalesce($4, rows)',
        'bytes = coalesce($5, bytes)',
        // A failure before the claim is a try all the same.
        `attempts = attempts + case when state = 'DISPATCHED' and $6::text is not null then 1 else 0 end`,
        ...errorAssignments(6),
      ],
      where: 'workspace_id = $11',
      parameters: [rows ?? null, bytes ?? null, ...errorParameters(error), workspaceId, ...event.parameters],
      beside: event.sql,
    });
    if (run) this.outbox.wrote(manager);
    return run;
  }

  /** Back into the queue for another try, not before a delay. */
  async retry(
    runTry: RunTry,
    name: 'retryRunning' | 'retryDispatched',
    { delayMs, queueWaitSeconds, error }: RetryPlan,
  ): Promise<Run | undefined> {
    return this.move(runTry, name, {
      set: [
        `not_before = now() + $4 * interval '1 millisecond'`,
        `queue_deadline = now() + ($4 * interval '1 millisecond') + make_interval(secs => $5)`,
        `attempts = attempts + case when state = 'DISPATCHED' then 1 else 0 end`,
        ...errorAssignments(6),
      ],
      parameters: [delayMs, queueWaitSeconds, ...errorParameters(error)],
    });
  }

  /** Back into the queue as if it had not been taken. */
  async release(runTry: RunTry, name: 'release' | 'undispatch', queueWaitSeconds: number): Promise<Run | undefined> {
    return this.move(runTry, name, {
      set: [
        `attempts = attempts - case when state = 'RUNNING' then 1 else 0 end`,
        'queue_deadline = greatest(queue_deadline, now() + make_interval(secs => $4))',
      ],
      parameters: [queueWaitSeconds],
    });
  }

  async stop(runTry: RunTry, reason: CancelReason): Promise<Run | undefined> {
    return this.stopIn(this.dataSource.manager, runTry, reason);
  }

  async stopIn(manager: EntityManager, runTry: RunTry, reason: CancelReason): Promise<Run | undefined> {
    return moveRun(manager, runTry, 'stop', {
      set: ['cancel_reason = $4', 'canceling_at = now()', 'reaped_until = null'],
      parameters: [reason],
    });
  }

  /** Notes why a try failed and lets its lease end, so that a reaper decides what becomes of the run. */
  async giveUpLease({ id, fence }: RunTry, error: RunError): Promise<void> {
    await this.dataSource.query(
      `update orchestrator.run set lease_until = now(), ${errorAssignments(3).join(', ')}
       where id = $1 and fence = $2 and state = 'RUNNING'`,
      [id, fence, ...errorParameters(error)],
    );
  }

  private async move(
    runTry: RunTry,
    name: Parameters<typeof moveRun>[2],
    values: MoveValues,
  ): Promise<Run | undefined> {
    return moveRun(this.dataSource.manager, runTry, name, values);
  }
}

function errorAssignments(first: number): string[] {
  return [
    `error_code = $${first}::text`,
    `error_message = $${first + 1}`,
    `error_retryable = $${first + 2}`,
    `error_retry_after_seconds = $${first + 3}`,
    `error_source_code = $${first + 4}`,
  ];
}

function errorParameters(error: RunError | undefined): unknown[] {
  return [
    error?.code ?? null,
    error?.message ?? null,
    error?.retryable ?? null,
    error?.retryAfterSeconds ?? null,
    error?.sourceCode ?? null,
  ];
}
