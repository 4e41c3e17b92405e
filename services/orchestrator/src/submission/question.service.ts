import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { SavedQuery, SourceConnection, WorkspaceSettings } from '#libs/contracts';
import type { Principal, WorkspaceAccess } from '#libs/identity';
import { AppError, type Clock, type JsonObject } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { checkDefinitions, type ParameterDefinition } from '#libs/sql';
import { AssetAccess, readsText } from '../access/asset-access.service.js';
import { refusalWithoutText } from '../access/hidden-text.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { QueryPlanner } from '../plan/query-planner.service.js';
import { queryOptionsOf } from '../plan/query-options.js';
import type { PlanInput, PlanPlaces, QueryPlan } from '../plan/query-plan.js';
import { TemplateCallers } from '../plan/template-callers.service.js';
import { toTemplateDefinitions } from '../plan/template-definitions.js';
import { PolicyService } from '../policy/policy.service.js';
import type { SessionIdentity } from '../policy/session-identity.js';
import { MetadataClient } from '../source/metadata.client.js';
import { RunnableMemory } from '../source/runnable.memory.js';
import { givenBy } from './given-by.js';
import { resolveLimits, type ResolvedLimits } from './limits.js';
import { pausedAt, sourcePathOf } from './source-path.js';
import { checkSqlText } from './sql-text.js';
import type { AskingContext, SubmitInput } from './submission.types.js';

interface Question {
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

/** A question that may be asked, and how it goes to its source. */
export interface PreparedQuestion {
  readonly question: Question;
  readonly access: WorkspaceAccess;
  readonly limits: ResolvedLimits;
  readonly plan: QueryPlan;
  readonly session: SessionIdentity | undefined;
  readonly nowMs: number;
}

/** Of a question that names none, in a workspace that names none. */
const defaultTimeZone = 'UTC';

/** Looks at a question before anything is written: who may ask, what is asked, within which limits, and how it goes to the source. */
@Injectable()
export class QuestionService {
  constructor(
    private readonly runnables: RunnableMemory,
    private readonly access: AssetAccess,
    private readonly policies: PolicyService,
    private readonly planner: QueryPlanner,
    private readonly callers: TemplateCallers,
    private readonly metadata: MetadataClient,
    @InjectConfig() private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws AppError what is wrong with the question, or why it may not be asked */
  async prepare(input: SubmitInput, principal: Principal, context: AskingContext): Promise<PreparedQuestion> {
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
      isSamplable: (table) => this.metadata.isSamplable(question.source, table, context.requestId),
      timeZone: input.timeZone ?? principal.guest?.timeZone ?? question.settings?.timeZone ?? defaultTimeZone,
      nowMs,
    });
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
