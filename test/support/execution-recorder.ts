import { delay } from '#libs/kernel';
import type { ApiAddress, ApiClient } from './api-client.js';
import { isFinal, type ExecutionEvent } from './api-types.js';
import { executionEvents } from './execution-events.js';
import type { History, Sitting } from './history.js';

export interface RecorderOptions {
  client: ApiClient;
  id: string;
  /** Resumes on the next of these after every close. */
  gateways: readonly ApiAddress[];
  includeRows?: boolean;
  /** Leaves of its own accord after so many events, and resumes; for tests of resuming. */
  leavesAfter?: number;
  signal?: AbortSignal;
  silenceMs?: number;
  /** Hears what is written down at the time when it is. */
  listener?: RecorderListener;
}

export interface RecorderListener {
  connects: (gateway: string) => void;
  hears: (event: ExecutionEvent) => void;
  /** `end` as in a sitting. */
  leaves: (end: string) => void;
}

/**
 * Subscribes to one execution and writes down all that it is told, as a good client does: resumes with the last cursor
 * after any close or error, on another gateway, until the subscription has completed behind a final state.
 */
export class ExecutionRecorder {
  readonly history: History;
  private cursor: string | undefined;
  private readonly finished: Promise<History>;

  constructor(private readonly options: RecorderOptions) {
    this.history = { id: options.id, includeRows: options.includeRows ?? true, sittings: [] };
    this.finished = this.record();
  }

  /** The history, once the subscription has completed. */
  whenComplete(): Promise<History> {
    return this.finished;
  }

  private get isToStop(): boolean {
    return this.options.signal?.aborted === true;
  }

  private async record(): Promise<History> {
    const { gateways } = this.options;
    for (let attempt = 0; !this.isToStop; attempt += 1) {
      const gateway = gateways[attempt % gateways.length];
      if (!gateway) throw new Error('a recorder needs a gateway');
      this.options.listener?.connects(gateway.url);
      const sitting = await this.sit(gateway);
      this.options.listener?.leaves(sitting.end);
      if (sitting.end === 'complete') break;
      // A gateway that is down refuses at once; without a pause this would spin.
      if (sitting.events.length === 0) await delay(200);
    }
    return this.history;
  }

  private async sit(gateway: ApiAddress): Promise<Sitting> {
    const { client, id, leavesAfter, silenceMs = 3_000 } = this.options;
    const sitting: Sitting = { gateway: gateway.url, events: [], end: 'complete', receivedAtMs: [] };
    this.history.sittings.push(sitting);
    try {
      const args = {
        id,
        includeRows: this.history.includeRows,
        ...(this.cursor === undefined ? {} : { after: this.cursor }),
      };
      for await (const event of executionEvents(client.at(gateway), args, { silenceMs })) {
        this.take(sitting, event);
        if (this.isToStop) return leave(sitting, 'stopped');
        if (leavesAfter !== undefined && sitting.events.length >= leavesAfter && !isEnd(event)) {
          return leave(sitting, 'left');
        }
      }
    } catch (error) {
      sitting.end = error instanceof Error ? error.message : String(error);
    }
    return sitting;
  }

  private take(sitting: Sitting, event: ExecutionEvent): void {
    sitting.events.push(event);
    sitting.receivedAtMs.push(Date.now());
    this.cursor = event.cursor;
    this.options.listener?.hears(event);
  }
}

function leave(sitting: Sitting, why: string): Sitting {
  sitting.end = why;
  return sitting;
}

function isEnd(event: ExecutionEvent): boolean {
  return event.__typename === 'ExecutionStateChanged' && event.state !== undefined && isFinal(event.state);
}
