import { AppError } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import type { RequestDispatcher } from './dispatcher.js';
import { ServerClock } from './server-clock.js';
import { Slots } from './slots.js';
import type { StreamEntry } from './stream-entry.js';
import { takeEntries, type TakenRequest } from './take-entries.js';

/** Requests that may wait for a slot; beyond it they are refused, as the inbox that they come by must go on with replies. */
const waitingMax = 256;

/** Requests to this one instance. They come by its inbox, and are taken out of it before they are handled: at most once. */
export class DirectedRequests {
  private readonly slots: Slots;
  private readonly clock = new ServerClock();
  private waiting = 0;
  private isDraining = false;

  constructor(
    private readonly key: string,
    private readonly dispatcher: RequestDispatcher,
    private readonly parts: ReaderParts,
    concurrency: number,
  ) {
    this.slots = new Slots(concurrency);
  }

  async take(entries: readonly StreamEntry[]): Promise<void> {
    try {
      await takeEntries(this.parts.redis.call('broker'), this.parts, {
        ...{ key: this.key, entries, clock: this.clock },
        isIdempotent: ({ type }) => this.dispatcher.isIdempotent(type),
        hand: (request) => void this.handle(request),
      });
    } catch (err) {
      this.parts.logger.warn(
        { err, count: entries.length },
        'requests could not be taken and are left to their callers',
      );
    }
  }

  /** Refuses what comes from now on, and resolves when nothing runs. */
  async drain(): Promise<void> {
    this.isDraining = true;
    while (this.waiting > 0 || this.slots.inUse > 0) await this.slots.idle();
    await this.dispatcher.settled();
  }

  private async handle({ envelope, remainingMs }: TakenRequest): Promise<void> {
    if (this.isDraining || this.waiting >= waitingMax) {
      await this.dispatcher.refuse(envelope, noRoom());
      return;
    }
    const begun = performance.now();
    this.waiting += 1;
    await this.slots.acquire();
    this.waiting -= 1;
    const leftMs = remainingMs - (performance.now() - begun);
    if (leftMs > 0) await this.dispatcher.dispatch(envelope, leftMs);
    else this.parts.metrics.stale.inc();
    this.slots.give(1);
  }
}

function noRoom(): AppError {
  return new AppError('bus.unavailable', 'Something went wrong on our side.', {
    retryable: true,
    retryAfterSeconds: 1,
    internalMessage: 'the instance takes no more requests',
  });
}
