import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext, type BusContext } from '#libs/bus';
import { workerRequests, type RequestOf, type ResponseOf, type runRequests } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { readsText } from '../access/asset-access.service.js';
import { refusalWithoutText } from '../access/hidden-text.js';
import { canReadSql } from '../execution/execution.service.js';
import { toPlanReach, toPlanValues } from '../run/bound-values.js';
import { QuestionService } from '../submission/question.service.js';

type EstimateInput = RequestOf<typeof runRequests.estimateQuery>;
type Estimate = ResponseOf<typeof runRequests.estimateQuery>;

/** Planning takes milliseconds; more than this is a source in trouble. */
const planningMsMax = 8_000;
/** What is left to bring our own answer back in time. */
const reserveMs = 250;

/** Has a worker ask the source how it would run a query: planned, permitted and governed as the run would be. */
@Injectable()
export class EstimateService {
  constructor(
    private readonly questions: QuestionService,
    private readonly bus: BusClient,
  ) {}

  /** @throws AppError what a submission throws; `run.estimate_hidden`; what the source says of the statement */
  async estimate(input: EstimateInput, principal: Principal, context: BusContext): Promise<Estimate> {
    const { question, access, plan, limits, session } = await this.questions.prepare(
      { ...input, priority: 'INTERACTIVE' },
      principal,
      context,
    );
    // The planner counts rows and common values of the whole table: what it says of a condition tells of hidden rows.
    if (session || plan.reach?.relations.some(({ policyIds }) => policyIds.length > 0)) {
      throw new AppError(
        'run.estimate_hidden',
        'Row policies hide rows of what this query reads; estimates would tell of them.',
        { path: ['query'] },
      );
    }
    const leftMs = Math.max(1, Math.floor(context.remainingMs() - reserveMs));
    const timeoutMs = Math.min(planningMsMax, limits.timeoutMs, leftMs);
    const asked = { dataSourceId: question.source.id, savedQueryId: question.savedQuery?.id };
    // A plan repeats the statement's tables and conditions, and so does what the source refuses it with.
    const mayRead = canReadSql(principal, plan.sql) && readsText(access, principal, asked);
    const asking = this.ask(
      workerRequests.estimateStatement,
      {
        source: question.source,
        sql: plan.sql,
        values: toPlanValues(plan.values),
        reach: plan.reach && toPlanReach(plan.reach),
        timeoutMs,
        submittedById: principal.userId,
      },
      { context: serviceContext('orchestrator', principal.workspaceId, context.requestId), ttlMs: timeoutMs },
    );
    const estimate = await asking.catch((error: unknown) => {
      throw mayRead ? error : refusalWithoutText(error);
    });
    return mayRead ? estimate : { ...estimate, plan: undefined };
  }

  private readonly ask: BusClient['request'] = async (...request) => {
    try {
      return await this.bus.request(...request);
    } catch (error) {
      if (!(error instanceof AppError) || !silences.includes(error.code)) throw error;
      throw new AppError('source.unavailable', 'The data source did not answer in time.', {
        retryable: true,
        internalMessage: `no worker answered: ${error.message}`,
        cause: error,
      });
    }
  };
}

const silences: readonly string[] = ['bus.timeout', 'bus.unavailable', 'bus.unimplemented'];
