import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { runRequests, type Execution, type FinishedPosition } from '#libs/contracts';
import { AppError, backoffMs, delay, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { Cursors, type ExecutionPosition } from '../cursors/cursors.js';
import type { GatewayConfig } from '../gateway.config.js';
import { callerIdOf } from '../identity/caller.js';
import type { RequestContext } from '../request/request-context.js';
import { checkColumnsDistinct } from '../results/column-choice.js';
import { resultIdOf } from '../results/result-view.js';
import { ResultsService } from '../results/results.service.js';
import { abortable } from './abortable.js';
import type { ExecutionEvent } from './execution-event.js';
import { ExecutionReader } from './execution-reader.js';
import { ExecutionFeed, type FeedSource } from './execution-feed.js';
import { FinishedFeed } from './finished-feed.js';
import { RunHubService } from './run-hub.service.js';
import type { RunWatch } from './run-watch.js';

export interface ExecutionEventsArgs {
  readonly id: string;
  readonly after?: string | null;
  readonly includeRows: boolean;
  readonly rowsAfter?: string | null;
  readonly columns?: readonly string[] | null;
}

type Events = AsyncGenerator<ExecutionEvent, void, undefined>;

/** As many rows in one event as a page of a query may have. */
const eventRowsMax = 10_000;
const readTriesMax = 4;
const noTurn = (): void => undefined;

/** Makes the feeds of the two subscriptions out of the caller's rights, the firehose and the services. */
@Injectable()
export class EventsService {
  constructor(
    private readonly hub: RunHubService,
    private readonly results: ResultsService,
    private readonly cursors: Cursors,
    private readonly executions: ExecutionReader,
    @Inject(CLOCK) private readonly clock: Clock,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'rows'>,
  ) {}

  async executionEvents(args: ExecutionEventsArgs, context: RequestContext): Promise<Events> {
    const execution = await persistently(context.signal, () => this.executions.read(args.id, context));
    const continuesAfter = context.pace?.continuesAfter;
    const place = this.placeOf(
      execution,
      continuesAfter === undefined ? args : { ...args, after: continuesAfter.cursor, rowsAfter: null },
    );
    const { id: executionId, runId, workspaceId, version } = execution;
    const watch = this.hub.watch({ executionId, runId, workspaceId }, version);
    const feed = new ExecutionFeed(this.sourceOf(execution, watch, args, context), {
      execution,
      includeRows: args.includeRows,
      nextRow: place.nextRow,
      toldVersion: continuesAfter && (continuesAfter.version ?? place.version),
    });
    return abortable(
      (signal) => feed.events(signal),
      context.signal,
      () => watch.close(),
    );
  }

  async executionsFinishedCursor(context: RequestContext): Promise<string> {
    const { position } = await context.ask(runRequests.listFinished, { after: undefined, limit: 1 });
    if (!position) throw new Error('the place of now did not come');
    return this.cursors.finishedEvent(context.caller.principal.workspaceId, callerIdOf(context.caller), position);
  }

  executionsFinished(after: string | null | undefined, context: RequestContext): Events {
    const { workspaceId } = context.caller.principal;
    const callerId = callerIdOf(context.caller);
    const from = context.pace?.continuesAfter?.cursor ?? after;
    const start = from ? this.cursors.readFinishedEvent(from, workspaceId, callerId) : undefined;
    const ear = this.hub.listen(workspaceId);
    const feed = new FinishedFeed({
      revision: ear.revision,
      clock: this.clock,
      list: (position: FinishedPosition | undefined, limit: number) => {
        context.pace?.part();
        return persistently(context.signal, () => context.ask(runRequests.listFinished, { after: position, limit }));
      },
      cursor: (position) => this.cursors.finishedEvent(workspaceId, callerId, position),
      begunAt: (cursor) => context.pace?.begunAt(cursor),
    });
    return abortable(
      (signal) => feed.events(start, signal),
      context.signal,
      () => ear.close(),
    );
  }

  private sourceOf(
    { id, workspaceId, runId }: Execution,
    watch: RunWatch,
    { includeRows, columns = null }: ExecutionEventsArgs,
    context: RequestContext,
  ): FeedSource {
    let rows: ReturnType<ResultsService['source']> | undefined;
    return {
      watch,
      clock: this.clock,
      turn: async () => (await context.pace?.turn()) ?? noTurn,
      read: () => persistently(context.signal, () => this.executions.read(id, context)),
      readRows: async (execution, offset) => {
        const source = (rows ??= this.results.source(execution, context, undefined, true));
        const bounds = { rowsMax: eventRowsMax, bytesMax: this.config.rows.eventBytesMax, columns };
        const read = await persistently(context.signal, () => source.read(offset, bounds));
        return { page: this.results.toPage(execution, source, offset, read), count: read.count };
      },
      rowsExpired: () => rows?.manifest?.rowCount ?? 0,
      cursor: ({ fence, version }, nextRow) => {
        const place: ExecutionPosition = { workspaceId, executionId: id, includeRows, runId, fence, version, nextRow };
        return this.cursors.executionEvent(place);
      },
    };
  }

  /** Where the events are to begin. */
  private placeOf(
    execution: Execution,
    { after, includeRows, rowsAfter, columns }: ExecutionEventsArgs,
  ): Pick<ExecutionPosition, 'version' | 'nextRow'> {
    if (columns) checkColumnsDistinct(columns);
    const { id: executionId, workspaceId, runId } = execution;
    // Also beside rowsAfter: whoever resumes may leave the arguments that they began with.
    if (after) {
      return this.cursors.readExecutionEvent(after, { workspaceId, executionId, includeRows, runId });
    }
    const nextRow = rowsAfter ? this.cursors.readRow(rowsAfter, 'rowsAfter', resultIdOf(execution)) : 0;
    return { version: execution.version, nextRow };
  }
}

/** A service that is away for a moment does not end a subscription. */
async function persistently<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      const isPassing = error instanceof AppError && error.retryable;
      if (!isPassing || attempt >= readTriesMax - 1 || signal.aborted) throw error;
      await delay(backoffMs(attempt, { initialMs: 250, maxMs: 2_000 }), { signal });
    }
  }
}
