import { Injectable } from '@nestjs/common';
import { context as traceContext, propagation, trace } from '@opentelemetry/api';
import { InjectConfig } from '#libs/config';
import type { Execution, RunPlan } from '#libs/contracts';
import type { Principal, WorkspaceAccess } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import { accountOf } from '../allowance/account-of.js';
import { CacheMetrics } from '../cache/cache.metrics.js';
import { cacheSubjects, querySubjects } from '../cache/cache-subjects.js';
import { resolveFreshness } from '../cache/freshness.js';
import { defaultPool } from '../dispatch/pool.js';
import { RunQueueStore } from '../dispatch/run-queue.store.js';
import { ExecutionService, toExecution } from '../execution/execution.service.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { staysEqual } from '../plan/stays-equal.js';
import { ValueSeals } from '../policy/value-seals.js';
import { toPlanReach } from '../run/bound-values.js';
import { RunChanges } from '../run/run-changes.service.js';
import { priorityClass } from '../run/run.types.js';
import { ceilingOf, sourceFor } from './ceiling.js';
import { flightKey } from './flight-key.js';
import { inputHash } from './input-hash.js';
import { QuestionService } from './question.service.js';
import { pausedAt, sourcePathOf } from './source-path.js';
import { SubmissionRepository } from './submission.repository.js';
import type { AskingContext, BegunRun, Idempotency, Submission, SubmitInput } from './submission.types.js';

/** The caller's execution, and what an equal question may go by. */
export interface Submitted {
  readonly execution: Execution;
  /** Set for a hit that may be repeated in a batch: the revision of the workspace's assets that it stands on. */
  readonly repeatableAtRevision?: number;
}

const idempotencyKeyMax = 200;

/** Takes a question that was found good: one commit, then the job. */
@Injectable()
export class SubmitService {
  constructor(
    private readonly repository: SubmissionRepository,
    private readonly questions: QuestionService,
    private readonly executions: ExecutionService,
    private readonly seals: ValueSeals,
    private readonly queue: RunQueueStore,
    private readonly changes: RunChanges,
    private readonly cacheMetrics: CacheMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async submit(input: SubmitInput, principal: Principal, context: AskingContext): Promise<Submitted> {
    const idempotency = idempotencyOf(input);
    if (idempotency) {
      const earlier = await this.findEarlier(idempotency, principal);
      if (earlier) return { execution: earlier };
    }
    const { question, access, limits, plan, session, nowMs } = await this.questions.prepare(input, principal, context);
    const { savedQuery, settings, revision } = question;
    const source = sourceFor(principal, question.source, session);
    const runId = newId('run');
    const { isWarmUp = false } = context;
    const submission: Submission = {
      executionId: newId('execution'),
      runId,
      workspaceId: principal.workspaceId,
      callerId: principal.userId,
      accountId: accountOf(principal),
      flightKey: flightKey({
        workspaceId: principal.workspaceId,
        sourceId: source.id,
        sourceVersion: source.version,
        sql: plan.sql,
        values: plan.values,
        policyFingerprint: plan.policyFingerprint,
        subjects: querySubjects(savedQuery),
        limits,
        ceiling: ceilingOf(source),
        session,
      }),
      source,
      ...plan,
      values: await this.seals.seal(plan.values, principal.workspaceId, runId),
      limits,
      class: priorityClass[isWarmUp ? 'SCHEDULED' : input.priority],
      isWarmUp,
      savedQueryId: savedQuery?.id,
      cacheSubjects: cacheSubjects({ source, savedQuery, tables: plan.tables }),
      freshness: resolveFreshness(input.cache, { source, savedQuery, settings }, this.config.cache),
      settings,
      idempotency,
      requestId: context.requestId,
      ...traceOfWork(),
    };
    const execution = await this.accept(submission, { principal, access }, sourcePathOf(input));
    const isRepeatable =
      execution.cacheStatus === 'HIT' &&
      !idempotency &&
      // What is repeated does not wait for the disk.
      !settings?.durableHits &&
      staysEqual(question.definitions, plan, nowMs);
    return isRepeatable ? { execution, repeatableAtRevision: revision } : { execution };
  }

  private async accept(
    submission: Submission,
    { principal, access }: { principal: Principal; access: WorkspaceAccess },
    path: readonly string[],
  ): Promise<Execution> {
    const outcome = await this.repository.accept(submission);
    switch (outcome.kind) {
      case 'accepted': {
        const { view, begun } = outcome;
        this.logger.info(
          { executionId: submission.executionId, sourceId: submission.source.id },
          'an execution was accepted',
        );
        this.cacheMetrics.answered(view.execution);
        if (begun?.isDispatched) this.queue.add(planOf(submission, begun));
        else if (begun) this.changes.queueChanged(defaultPool);
        return toExecution(view, principal, access);
      }
      case 'repeated': {
        const earlier = submission.idempotency && (await this.findEarlier(submission.idempotency, principal));
        if (earlier) return earlier;
        throw new Error('an idempotency key was taken by an execution that is not there');
      }
      case 'source_paused':
        throw pausedAt(path);
      case 'source_deleted':
        throw new AppError('source.not_found', 'There is no such data source.', { path });
    }
  }

  private async findEarlier(idempotency: Idempotency, principal: Principal): Promise<Execution | undefined> {
    const earlier = await this.repository.findEarlierCall(principal.workspaceId, principal.userId, idempotency.key);
    if (!earlier) return undefined;
    if (!earlier.inputHash.equals(idempotency.inputHash)) {
      throw new AppError('run.idempotency_conflict', 'This idempotency key was used with another input.', {
        path: ['idempotencyKey'],
        details: { conflictId: earlier.executionId },
      });
    }
    return this.executions.get(earlier.executionId, principal);
  }
}

function idempotencyOf(input: SubmitInput): Idempotency | undefined {
  const key = input.idempotencyKey;
  if (key === undefined) return undefined;
  if (key.length === 0 || key.length > idempotencyKeyMax || key.includes('\0')) {
    throw new AppError('input.invalid', `An idempotency key has from 1 to ${idempotencyKeyMax} characters.`, {
      path: ['idempotencyKey'],
    });
  }
  return { key, inputHash: inputHash(input) };
}

/** The plan of a run that begins with this submission. */
function planOf(submission: Submission, { runId, fence }: BegunRun): RunPlan {
  const { workspaceId, source, sql, values, limits, callerId, requestId, traceparent } = submission;
  return {
    ...{ runId, fence, workspaceId, source, sql, values, requestId, traceparent },
    reach: submission.reach && toPlanReach(submission.reach),
    rowsMax: limits.rows,
    bytesMax: limits.bytes,
    timeoutMs: limits.timeoutMs,
    submittedById: callerId,
  };
}

/** The trace that the worker's spans and the execution's traceId belong to. */
function traceOfWork(): { traceparent: string; traceId: string | undefined } {
  const carrier: { traceparent?: string } = {};
  propagation.inject(traceContext.active(), carrier);
  return { traceparent: carrier.traceparent ?? '', traceId: trace.getActiveSpan()?.spanContext().traceId };
}
