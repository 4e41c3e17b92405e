import { Injectable, type OnModuleInit } from '@nestjs/common';
import { runRequests, type Execution, type ResponseOf } from '#libs/contracts';
import { AppError, toAppError } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { isFault, invalidInput, userErrorsOf, type UserError } from '../errors/user-error.js';
import { RepeatedHits } from '../cache/repeated-hits.service.js';
import { mutationFault, payloadOf, type Payload } from '../errors/payload.js';
import { RunHubService } from '../events/run-hub.service.js';
import { executionAt } from '../events/run-level.js';
import { neededOptions } from '../parameters/needed-options.js';
import { OptionsQueries, type OptionsAnswer, type OptionsQuestion } from '../parameters/options-query.service.js';
import type { RequestContext } from '../request/request-context.js';
import { isFinal } from '../results/result-view.js';
import { toSubmitRequest, waitMsOf, type RunQueryInput, type SubmitRequest } from './execution-input.js';

export type RunQueryPayload = Payload<{ execution: Execution }>;
export type EstimateInput = Pick<RunQueryInput, 'query' | 'limits' | 'timeZone'>;
export type EstimatePayload = Payload<ResponseOf<typeof runRequests.estimateQuery>>;

const queriesMax = 50;
const optionsDepthMax = 3;

/** Submits queries and waits for their end by the same messages that feed the subscriptions, so nothing is polled. */
@Injectable()
export class ExecutionsService implements OnModuleInit {
  private readonly draining = new AbortController();

  constructor(
    private readonly hub: RunHubService,
    private readonly repeatedHits: RepeatedHits,
    private readonly options: OptionsQueries,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
  ) {}

  onModuleInit(): void {
    // The server may answer sooner than it was asked to, and one that stops does.
    this.lifecycle.onDrain('waits for queries', async () => this.draining.abort());
  }

  run(input: RunQueryInput, context: RequestContext): Promise<RunQueryPayload> {
    return payloadOf(
      async () => {
        const waitMs = waitMsOf(input);
        const execution = await this.submit(input, context);
        return { execution: waitMs > 0 ? await this.untilFinal(execution, waitMs, context) : execution };
      },
      (conflictId) => this.current(conflictId, context),
    );
  }

  /** Each stands by itself, also where it fails by a fault. */
  async runAll(inputs: readonly RunQueryInput[], context: RequestContext): Promise<RunQueryPayload[]> {
    if (inputs.length > queriesMax) throw invalidInput(`at most ${queriesMax} queries at once`, 'inputs');
    // Without a caller none can be run, which is one fault and not fifty.
    void context.caller;
    return Promise.all(
      inputs.map((input) => this.run(input, context).catch((error: unknown) => ({ errors: this.faultAsData(error) }))),
    );
  }

  /** What the source's planner says of a query, which is not run. */
  estimate(input: EstimateInput, context: RequestContext): Promise<EstimatePayload> {
    return payloadOf(async () => {
      const { query, limits, timeZone } = toSubmitRequest({ ...input, priority: 'INTERACTIVE', waitSeconds: 0 });
      return this.withOptions({ query, timeZone }, context, 0, (queryOptions) =>
        context.ask(runRequests.estimateQuery, { query, limits, timeZone, queryOptions }),
      );
    });
  }

  async cancel(id: string, context: RequestContext): Promise<RunQueryPayload> {
    return payloadOf(async () => {
      const { execution } = await context.ask(runRequests.cancelExecution, { id });
      return { execution: present(execution) };
    });
  }

  private async current(id: string | undefined, context: RequestContext): Promise<{ execution: Execution | null }> {
    if (id === undefined) return { execution: null };
    const { executions } = await context.ask(runRequests.getExecutions, { ids: [id] });
    return { execution: executions[0] ?? null };
  }

  /** What an options query answers to this caller. */
  optionsOf(question: OptionsQuestion, context: RequestContext, depth = 0): Promise<OptionsAnswer> {
    if (depth >= optionsDepthMax) {
      const message = `Options may hang on options of others ${optionsDepthMax} times, not more.`;
      throw new AppError('parameter.invalid', message, { path: question.path });
    }
    return this.options.read(question, context, async (input) => {
      const execution = await this.submit(input, context, depth + 1);
      return this.untilFinal(execution, waitMsOf(input), context);
    });
  }

  private async submit(input: RunQueryInput, context: RequestContext, depth = 0): Promise<Execution> {
    const question = toSubmitRequest(input);
    const { idempotencyKey } = question;
    const key = this.repeatedHits.keyOf(question, context.caller.accessToken);
    const repeated = key === undefined ? undefined : await this.repeated(key, context);
    if (key !== undefined && repeated) {
      // Not those that a question needs for its own parameters.
      if (depth === 0) context.hit.answered = { key, execution: repeated };
      return repeated;
    }
    const submitted = await this.withOptions(question, context, depth, (queryOptions) =>
      context.ask(
        runRequests.submitExecution,
        { ...question, queryOptions },
        idempotencyKey === undefined ? {} : { idempotencyKey },
      ),
    );
    if (key !== undefined) this.repeatedHits.remember(key, submitted);
    return present(submitted.execution);
  }

  /** A new execution of what was a hit, or the one that was recorded for this request before. */
  private async repeated(key: string, { hit }: RequestContext): Promise<Execution | undefined> {
    const { recorded } = hit;
    if (recorded?.key !== key) return this.repeatedHits.repeat(key);
    hit.recorded = undefined;
    return recorded.execution;
  }

  /** Asks, and asks once more with what the options queries of its parameters answer, where they are needed. */
  private async withOptions<T>(
    { query, timeZone }: Pick<SubmitRequest, 'query' | 'timeZone'>,
    context: RequestContext,
    depth: number,
    ask: (queryOptions: SubmitRequest['queryOptions']) => Promise<T>,
  ): Promise<T> {
    try {
      return await ask([]);
    } catch (error) {
      const needed = neededOptions(error);
      if (!needed) throw error;
      const given = query.value?.parameters ?? {};
      const answers = needed.map(async ({ name, queryId, path }) => {
        const answer = await this.optionsOf({ queryId, given, path, timeZone }, context, depth);
        return { name, values: answer.options.map(({ value }) => value) };
      });
      return ask(await Promise.all(answers));
    }
  }

  private async untilFinal(submitted: Execution, waitMs: number, context: RequestContext): Promise<Execution> {
    if (isFinal(submitted.state)) return submitted;
    const { id: executionId, runId, workspaceId, version } = submitted;
    const watch = this.hub.watch({ executionId, runId, workspaceId }, version);
    const signal = AbortSignal.any([context.signal, this.draining.signal, AbortSignal.timeout(waitMs)]);
    let execution = submitted;
    try {
      for (let seen = 0; !isFinal(execution.state) && !signal.aborted;) {
        const { revision, stateRevision, doubtRevision, level } = watch;
        if (stateRevision > seen) {
          const heard = doubtRevision <= seen ? executionAt(execution, level) : undefined;
          seen = stateRevision;
          execution = heard ?? (await this.read(execution, context));
          watch.readVersion = execution.version;
        } else {
          await watch.heardMoreThan(revision, signal);
        }
      }
      return execution;
    } finally {
      watch.close();
    }
  }

  /** The query was accepted; if it cannot be read now, the answer is what is known of it, and polling says the rest. */
  private async read(known: Execution, context: RequestContext): Promise<Execution> {
    try {
      const { executions } = await context.ask(runRequests.getExecutions, { ids: [known.id] });
      return executions[0] ?? known;
    } catch (err) {
      this.logger.warn({ err, executionId: known.id }, 'an execution that is waited for could not be read');
      return known;
    }
  }

  private faultAsData(error: unknown): UserError[] {
    const fault = toAppError(mutationFault(error));
    if (isFault(fault)) this.logger.error({ err: error }, 'one of several queries could not be submitted');
    return userErrorsOf(fault);
  }
}

function present(execution: Execution | undefined): Execution {
  if (!execution)
    throw new AppError('internal', 'Something went wrong on our side.', { internalMessage: 'no execution came' });
  return execution;
}
