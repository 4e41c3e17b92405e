import type { FinishedPosition, ResponseOf, runRequests } from '#libs/contracts';
import { delay, type Clock } from '#libs/kernel';
import type { ExecutionEvent } from './execution-event.js';
import type { Revision } from './revision.js';

type FinishedPage = ResponseOf<typeof runRequests.listFinished>;

/** What a feed needs of the world. */
export interface FinishedSource {
  /** Grows when something has ended in the caller's workspace. */
  readonly revision: Revision;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The caller's executions that ended behind `after`; without it only the position of now. */
  list(after: FinishedPosition | undefined, limit: number): Promise<FinishedPage>;
  cursor(position: FinishedPosition): string;
  /** Told before the first event, which may be long in coming: what has ended behind this is what the subscriber is owed. */
  begunAt(cursor: string): void;
}

const pageRows = 100;
/** However much ends in a workspace, the list is read no more often than this by one subscriber. */
const pauseMs = 50;
/** What has ended is listed once no older transaction is open, which is mostly at once and always soon. */
const retryMs = [50, 100, 200, 400, 800] as const;
const idleMs = 5_000;
/** Whoever draws slowly is told of what was listed this long ago only once it has been listed, and so checked, again. */
const freshMs = 1_500;

/** An event, and where to go on from once it has been told. */
interface Told {
  readonly event: ExecutionEvent;
  readonly end: FinishedPosition;
}

/** The executions of one caller as they end, drawn and never pushed. Messages only say when to read. */
export class FinishedFeed {
  constructor(private readonly source: FinishedSource) {}

  async *events(
    after: FinishedPosition | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<ExecutionEvent, void, undefined> {
    let position = after ?? (await this.now());
    this.source.begunAt(this.source.cursor(position));
    for (let quiet: number = retryMs.length; !signal.aborted;) {
      const { value: heard } = this.source.revision;
      const page = await this.source.list(position, pageRows);
      const listedAtMs = this.source.clock.monotonicMs();
      let isStale = false;
      for (const { event, end } of this.eventsOf(page)) {
        isStale = this.source.clock.monotonicMs() - listedAtMs > freshMs;
        if (isStale) break;
        yield event;
        position = end;
      }
      if (isStale) continue;
      position = page.position ?? position;
      // Behind a full page there is mostly another.
      if (page.finished.length >= pageRows) continue;
      if (page.finished.length === 0) {
        await this.source.revision.beyond(heard, signal, retryMs[quiet] ?? idleMs);
        quiet = this.source.revision.value > heard ? 0 : quiet + 1;
      }
      await delay(pauseMs, { signal });
    }
  }

  private *eventsOf({ finished, position, skipped }: FinishedPage): Generator<Told> {
    if (skipped) {
      const first = finished[0]?.position;
      // Right before the first that is still kept: what goes on from there is neither skipped again nor missed.
      const end = first ? { xid: first.xid, sequence: first.sequence - 1 } : position;
      if (end) yield { event: skippedEvent(this.source.cursor(end)), end };
    }
    for (const { position: place, execution } of finished) {
      if (!place || !execution) throw new Error('a finished execution came without its place');
      const { state, version, finishedAt, submittedAt } = execution;
      const at = finishedAt ?? submittedAt;
      if (!at) throw new Error('a finished execution came without its time');
      const cursor = this.source.cursor(place);
      const event = { __typename: 'ExecutionStateChanged' as const, cursor, place: cursor };
      yield { event: { ...event, execution, state, version, at }, end: place };
    }
  }

  private async now(): Promise<FinishedPosition> {
    const { position } = await this.source.list(undefined, pageRows);
    if (!position) throw new Error('the place of now did not come');
    return position;
  }
}

function skippedEvent(cursor: string): ExecutionEvent {
  return {
    __typename: 'EventsSkipped',
    cursor,
    place: cursor,
    execution: null,
    reason: 'Executions that ended long ago are no longer listed.',
  };
}
