import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { InjectConfig } from '#libs/config';
import { retryingLostRaces, postgresCode, queryPrepared } from '#libs/database';
import { defaultPool } from '../dispatch/pool.js';
import { queueRules } from '../dispatch/queue-rules.js';
import { asRefusal } from './refusal.js';
import { toView, viewColumns, type ViewRow } from '../execution/execution.row.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { encodeSource } from '../source/source-snapshot.js';
import { rememberSource } from '../source/source.repository.js';
import { toStoredValues } from '../run/bound-values.js';
import type { BegunRun, EarlierCall, Submission, SubmissionOutcome } from './submission.types.js';

/** What orchestrator.accept_v2 raises where an idempotency key was used before. */
const keyTaken = 'SL001';

type Refusal = 'source_unknown' | 'source_deleted' | 'source_paused';

interface AcceptRow extends ViewRow {
  outcome: 'hit' | 'stale' | 'begun' | 'joined' | Refusal;
  begun_id: string | null;
  begun_fence: number;
  begun_state: string;
}

@Injectable()
export class SubmissionRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
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
      let row = await this.call(submission);
      if (row.outcome === 'source_unknown') {
        await rememberSource(this.dataSource.manager, submission.source);
        row = await this.call(submission);
      }
      return outcomeOf(row);
    } catch (error) {
      if (postgresCode(error) === keyTaken) return { kind: 'repeated' };
      throw asRefusal(error) ?? error;
    }
  }

  private async call(submission: Submission): Promise<AcceptRow> {
    const { limits, source, idempotency } = submission;
    const { queue, lease } = this.config;
    const parameters = {
      execution_id: submission.executionId,
      run_id: submission.runId,
      workspace_id: submission.workspaceId,
      caller_id: submission.callerId,
      flight_key: submission.flightKey,
      pool: defaultPool,
      class: submission.class,
      source_id: source.id,
      source_version: source.version,
      source: encodeSource(source),
      sql: submission.sql,
      rows_max: limits.rows,
      bytes_max: limits.bytes,
      timeout_ms: limits.timeoutMs,
      request_id: submission.requestId,
      traceparent: submission.traceparent,
      trace_id: submission.traceId ?? null,
      attempts_max: lease.attemptsMax,
      wait_seconds: submission.class === 3 ? queue.waitScheduledMaxSeconds : queue.waitMaxSeconds,
      queue_rules: {
        ...queueRules(this.config, submission.settings),
        warmUp: submission.isWarmUp,
        accountId: submission.accountId,
      },
      saved_query_id: submission.savedQueryId ?? null,
      idempotency_key: idempotency?.key ?? null,
      input_hash: idempotency?.inputHash ?? null,
      cache_subjects: submission.cacheSubjects,
      max_age_seconds: submission.freshness.maxAgeSeconds,
      stale_seconds: submission.freshness.staleSeconds,
      bound_values: JSON.stringify(toStoredValues(submission.values)),
      reach: submission.reach ? JSON.stringify(submission.reach) : null,
      parameters: JSON.stringify(submission.parameters),
    };
    const places = Object.keys(parameters).map((name, index) => `${name} => $${index + 1}`);
    const [row] = await retryingLostRaces(() =>
      queryPrepared<AcceptRow>(
        this.dataSource,
        `select a.outcome, b.id as begun_id, b.fence as begun_fence, b.state as begun_state, ${viewColumns}
         from orchestrator.accept_v2(${places.join(', ')}) a
         cross join lateral (select (a.run).*) r cross join lateral (select (a.execution).*) e
         left join lateral (
           select (case a.outcome when 'begun' then a.run when 'stale' then a.refresh end).*) b on true`,
        Object.values(parameters),
      ),
    );
    if (!row) throw new Error('orchestrator.accept_v2 has answered nothing');
    return row;
  }
}

function outcomeOf(row: AcceptRow): SubmissionOutcome {
  switch (row.outcome) {
    case 'hit':
    case 'stale':
    case 'begun':
    case 'joined':
      return { kind: 'accepted', view: toView(row), begun: begunOf(row) };
    case 'source_deleted':
    case 'source_paused':
      return { kind: row.outcome };
    case 'source_unknown':
      throw new Error('a source that was just taken over is not known');
  }
}

function begunOf({ begun_id: runId, begun_fence: fence, begun_state: state }: AcceptRow): BegunRun | undefined {
  return runId === null ? undefined : { runId, fence, isDispatched: state === 'DISPATCHED' };
}
