import { Inject, Injectable } from '@nestjs/common';
import { context as traceContext, propagation, trace } from '@opentelemetry/api';
import { InjectConfig } from '#libs/config';
import type {
  Execution,
  RequestOf,
  RunPlan,
  runRequests,
  SavedQuery,
  SourceConnection,
  WorkspaceSettings,
} from '#libs/contracts';
import type { Principal, WorkspaceAccess } from '#libs/identity';
import { AppError, newId, type Clock, type JsonObject } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { checkDefinitions, type ParameterDefinition } from '#libs/sql';
import { AppLogger } from '#libs/telemetry';
import { AssetAccess, readsText } from '../access/asset-access.service.js';
import { accountOf } from '../allowance/account-of.js';
import { refusalWithoutText } from '../access/hidden-text.js';
import { RunQueueStore } from '../dispatch/run-queue.store.js';
import { ExecutionService, toExecution } from '../execution/execution.service.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { RunChanges } from '../run/run-changes.service.js';
import { toPlanReach } from '../run/bound-values.js';
import { priorityClass } from '../run/run.types.js';
import { defaultPool } from '../dispatch/pool.js';
import { QueryPlanner } from '../plan/query-planner.service.js';
import { queryOptionsOf } from '../plan/query-options.js';
import type { PlanInput, PlanPlaces, QueryPlan } from '../plan/query-plan.js';
import { staysEqual } from '../plan/stays-equal.js';
import { TemplateCallers } from '../plan/template-callers.service.js';
import { toTemplateDefinitions } from '../plan/template-definitions.js';
import { PolicyService } from '../policy/policy.service.js';
import type { SessionIdentity } from '../policy/session-identity.js';
import { ValueSeals } from '../policy/value-seals.js';
import { RunnableMemory } from '../source/runnable.memory.js';
import { CacheMetrics } from '../cache/cache.metrics.js';
import { cacheSubjects, querySubjects } from '../cache/cache-subjects.js';
import { ceilingOf, sourceFor } from './ceiling.js';
import { givenBy } from './given-by.js';
import { flightKey } from './flight-key.js';
import { resolveFreshness } from '../cache/freshness.js';
import { inputHash } from './input-hash.js';
import { resolveLimits, type ResolvedLimits } from './limits.js';
import { checkSqlText } from './sql-text.js';
import { SubmissionRepository } from './submission.repository.js';
import type { AskingContext, BegunRun, Idempotency, Submission } from './submission.types.js';

export type SubmitInput = RequestOf<typeof runRequests.submitExecution>;

/** The caller's execution, and what an equal question may go by. */
export interface Submitted {
  readonly execution: Execution;
  /** Set for a hit: the revision of the workspace's assets that it stands on. */
  readonly repeatableAtRevision?: number;
}

export interface Question {
  readonly source: SourceConnection;
  /** A template. */
  readonly text: string;
  readonly definitions: readonly ParameterDefinition[];
  readonly given: JsonObject;
  readonly places: PlanPlaces;
  readonly savedQuery: SavedQuery | undefined;
  readonly policiesFingerprint: string | undefined;
  readonly settings: WorkspaceSettings | undefined;
  readonly revision: number;
}

/** By whom and when. */
interface Asking {
  readonly principal: Principal;
  readonly context: AskingContext;
  readonly nowMs: number;
}

export interface Prepared {
  readonly question: Question;
  readonly access: WorkspaceAccess;
  readonly limits: ResolvedLimits;
  readonly plan: QueryPlan;
  readonly session: SessionIdentity | undefined;
  readonly nowMs: number;
}

const idempotencyKeyMax = 200;
/** Of a question that names none, in a workspace that names none. */
const defaultTimeZone = 'UTC';

/** Takes a question: every check first, then one commit, then the job. */
@Injectable()
export class SubmitService {
  constructor(
    private readonly repository: SubmissionRepository,
    private readonly executions: ExecutionService,
    private readonly runnables: RunnableMemory,
    private readonly access: AssetAccess,
    private readonly policies: PolicyService,
    private readonly planner: QueryPlanner,
    private readonly seals: ValueSeals,
    private readonly callers: TemplateCallers,
    private readonly queue: RunQueueStore,
    private readonly changes: RunChanges,
    private readonly cacheMetrics: CacheMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async submit(input: SubmitInput, principal: Principal, context: AskingContext): Promise<Submitted> {
    const idempotency = idempotencyOf(input);
    if (idempotency) {
      const earlier = await this.findEarlier(idempotency, principal);
      if (earlier) return { execution: earlier };
    }
    const { question, access, limits, plan, session, nowMs } = await this.prepare(input, principal, context);
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
      execution.cacheStatus === 'HIT' && !idempotency && staysEqual(question.definitions, plan, nowMs);
    return isRepeatable ? { execution, repeatableAtRevision: revision } : { execution };
  }

  /** Everything that comes before a run: who may ask, what is asked, within which limits, and how it goes to the source. */
  async prepare(input: SubmitInput, principal: Principal, context: AskingContext): Promise<Prepared> {
    // Asked together, as both look at the revision of the workspace's assets.
    const [question, access] = await Promise.all([this.resolve(input, principal, context), this.access.of(principal)]);
    demandReach(access, principal, question, sourcePathOf(input));
    const { source, savedQuery, settings } = question;
    const limits = resolveLimits(input.limits, input.priority, this.config.limits, {
      source,
      sampleRowsDefault: savedQuery ? undefined : settings?.sampleRows,
    });
    const nowMs = this.clock.nowMs();
    const session = await this.policies.sessionOf(question.source, principal, context, context.signal);
    const isClosed = session?.isClosed ?? false;
    const asked = { dataSourceId: question.source.id, savedQueryId: question.savedQuery?.id };
    const planning = this.plan({ ...question, limits, isClosed }, input, { principal, context, nowMs });
    const plan = await planning.catch((error: unknown) => {
      throw readsText(access, principal, asked) ? error : refusalWithoutText(error);
    });
    return { question, access, limits, plan, session, nowMs };
  }

  private async plan(
    question: Question & Pick<PlanInput, 'limits' | 'isClosed'>,
    input: SubmitInput,
    { principal, context, nowMs }: Asking,
  ): Promise<QueryPlan> {
    const queryOptions = queryOptionsOf(question, input.queryOptions);
    const [policies, caller] = await Promise.all([
      this.policies.of(question, principal, context, context.signal),
      this.callers.callerOf(principal, question.text, context),
    ]);
    return this.planner.plan({
      ...question,
      policies,
      queryOptions,
      caller,
      timeZone: input.timeZone ?? principal.guest?.timeZone ?? question.settings?.timeZone ?? defaultTimeZone,
      nowMs,
    });
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

  private async resolve(input: SubmitInput, principal: Principal, context: AskingContext): Promise<Question> {
    const { query } = input;
    switch (query.case) {
      case 'sql': {
        if (!principal.permissions.has('query.run')) throw forbidden('query.run');
        const { text, parameters = {}, parameterDefinitions } = query.value;
        checkSqlText(text, this.config.limits.sqlBytesMax);
        const definitions = toTemplateDefinitions(parameterDefinitions);
        checkGiven(definitions);
        const resolved = await this.resolveRunnable(
          { case: 'dataSourceId', value: query.value.dataSourceId },
          context,
          sourcePathOf(input),
        );
        const places = { text: ['query', 'sql', 'text'], parameters: ['query', 'sql', 'parameters'] };
        return { ...resolved, text, definitions, given: parameters, places, savedQuery: undefined };
      }
      case 'savedQuery': {
        if (!principal.permissions.has('saved_query.run')) throw forbidden('saved_query.run');
        const path = sourcePathOf(input);
        const { savedQuery, ...resolved } = await this.resolveRunnable(
          { case: 'savedQueryId', value: query.value.id },
          context,
          path,
        );
        if (!savedQuery) throw new Error('metadata resolved a saved query without it');
        const definitions = toTemplateDefinitions(savedQuery.parameters);
        const given = givenBy(principal, query.value.parameters ?? {});
        const places = { text: path, parameters: ['query', 'savedQuery', 'parameters'] };
        return { ...resolved, text: savedQuery.sql, definitions, given, places, savedQuery };
      }
      default:
        throw new AppError('input.invalid', 'Exactly one kind of query is needed.', { path: ['query'] });
    }
  }

  private async resolveRunnable(
    subject: Parameters<RunnableMemory['resolve']>[0],
    context: AskingContext,
    path: readonly string[],
  ) {
    const resolved = await this.runnables.resolve(subject, context, context.signal).catch((error: unknown) => {
      throw atPath(error, path);
    });
    const { source } = resolved;
    if (!source) throw new Error('metadata resolved something runnable without its source');
    if (source.paused) throw pausedAt(path);
    const { savedQuery, revision, policiesFingerprint, settings } = resolved;
    return { source, savedQuery, revision, policiesFingerprint, settings };
  }
}

/** What may be run is remembered; who may run it is looked at each time. */
function demandReach(
  access: WorkspaceAccess,
  principal: Principal,
  { source, savedQuery }: Question,
  path: readonly string[],
): void {
  if (savedQuery) access.demandQuery(principal, { id: savedQuery.id, dataSourceId: source.id }, 'RUN', path);
  else access.demandSource(principal, source.id, 'RUN', path);
}

/** @throws AppError for definitions that do not fit together */
function checkGiven(definitions: readonly ParameterDefinition[]): void {
  const [first, ...others] = checkDefinitions(definitions).map((issue) => ({
    ...issue,
    path: ['query', 'sql', 'parameterDefinitions', ...issue.path],
  }));
  if (first) throw AppError.ofIssues([first, ...others]);
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

/** Where the caller has named the source, or the saved query that knows it. */
function sourcePathOf({ query }: SubmitInput): readonly string[] {
  return query.case === 'savedQuery' ? ['query', 'savedQuery', 'id'] : ['query', 'sql', 'dataSourceId'];
}

function pausedAt(path: readonly string[]): AppError {
  return new AppError('source.paused', 'The data source is paused.', { path, retryable: true });
}

function forbidden(permission: string): AppError {
  return new AppError('auth.forbidden', `This needs the permission ${permission}.`);
}

// What metadata does not find, it does not find at a place of the caller's input.
function atPath(error: unknown, path: readonly string[]): unknown {
  if (!(error instanceof AppError)) return error;
  if (error.code !== 'source.not_found' && error.code !== 'saved_query.not_found') return error;
  // A path that metadata gave is of its own request, not of the caller's input.
  return new AppError(error.code, error.publicMessage, { path, cause: error });
}

/** The trace that the worker's spans and the execution's traceId belong to. */
function traceOfWork(): { traceparent: string; traceId: string | undefined } {
  const carrier: { traceparent?: string } = {};
  propagation.inject(traceContext.active(), carrier);
  return { traceparent: carrier.traceparent ?? '', traceId: trace.getActiveSpan()?.spanContext().traceId };
}
