import type { FinishedPosition, ResponseOf, runRequests } from '#libs/contracts';
import { delay } from '#libs/kernel';
import type { ExecutionEvent } from './execution-event.js';
import type { Revision } from './revision.js';

type FinishedPage = ResponseOf<typeof runRequests.listFinished>;

/** What a feed needs of the world. */
export interface FinishedSource {
  /** Grows when something has ended in the caller's workspace. */
  readonly revision: Revision;
  /** The caller's executions that ended behind `after`; without it only the position of now. */
  list(after: FinishedPosition | undefined, limit: number): Promise<FinishedPage>;
  cursor(position: FinishedPosition): string;
}

const pageRows = 100;
/** However much ends in a workspace, the list is read no more often than this by one subscriber. */
const pauseMs = 50;
/** What has ended is listed once no older transaction is open, which is mostly at once and always soon. */
const retryMs = [50, 100, 200, 400, 800] as const;
const idleMs = 5_000;

/** The executions of one caller as they end, drawn and never pushed. Messages only say when to read. */
export class FinishedFeed {
  constructor(private readonly source: FinishedSource) {}

  async *events(
    after: FinishedPosition | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<ExecutionEvent, void, undefined> {
    let position = after ?? (await this.now());
    for (let quiet: number = retryMs.length; !signal.aborted;) {
      const { value: heard } = this.source.revision;
      const page = await this.source.list(position, pageRows);
      yield* this.eventsOf(page);
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

  private *eventsOf({ finished, position, skipped }: FinishedPage): Generator<ExecutionEvent> {
    if (skipped) {
      const first = finished[0]?.position;
      // Right before the first that is still kept: what goes on from there is neither skipped again nor missed.
      const end = first ? { ...first, sequence: first.sequence - 1 } : position;
      if (end) yield skippedEvent(this.source.cursor(end));
    }
    for (const { position: place, execution } of finished) {
      if (!place || !execution) throw new Error('a finished execution came without its place');
      const { state, version, finishedAt, submittedAt } = execution;
      const at = finishedAt ?? submittedAt;
      if (!at) throw new Error('a finished execution came without its time');
      const cursor = this.source.cursor(place);
      yield { __typename: 'ExecutionStateChanged', cursor, place: cursor, execution, state, version, at };
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
