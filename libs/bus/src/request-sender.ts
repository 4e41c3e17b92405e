import { AppError } from '#libs/kernel';
import type { ReaderParts } from './blocking-reader.js';
import { InboxWriter } from './inbox-writer.js';
import { StreamWriter } from './stream-writer.js';

/** Bounds what callers that died leave behind while nobody reads; those that live withdraw what they give up. */
const requestStreamMax = 100_000;
const withdrawMs = 200;

/** Where a request was put. Its id is undefined where the answer to its sending was lost: it may be there or not. */
export interface SentRequest {
  key: string;
  id: string | undefined;
}

/** Puts requests into the stream of a service or of one instance, and takes them back. */
export class RequestSender {
  private readonly inboxes: InboxWriter;
  private readonly streams: StreamWriter;

  constructor(private readonly parts: ReaderParts) {
    this.inboxes = new InboxWriter(parts);
    this.streams = new StreamWriter(parts.redis, { entriesMax: requestStreamMax, ttlMs: 0 });
  }

  /**
   * Undefined: surely not sent, as Redis cannot be reached within `waitMs`, or refused it for a moment.
   * @throws AppError `bus.unavailable` at once where Redis is full: to wait for room is for whoever asked
   */
  async send(
    to: { service: string; instance: string | undefined },
    envelope: Buffer,
    waitMs: number,
  ): Promise<SentRequest | undefined> {
    const { redis } = this.parts;
    const key = to.instance === undefined ? redis.keys.requests(to.service) : redis.keys.instance(to.instance);
    if (!redis.isReady('broker') && !(await redis.ready('broker', waitMs))) return undefined;
    try {
      return { key, id: await (to.instance === undefined ? this.streams : this.inboxes).add(key, envelope) };
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('OOM')) throw full(error);
      return isRefusal(error) ? undefined : { key, id: undefined };
    }
  }

  /** True where nobody had taken it: then it was not done and never will be. */
  async withdraw({ key, id }: SentRequest): Promise<boolean> {
    const client = this.parts.redis.client('broker');
    if (id === undefined || !this.parts.redis.isReady('broker')) return false;
    return withinMs(client.xdel(key, id), withdrawMs, 0).then((deleted) => deleted === 1);
  }

  /** Whether it still waits for somebody to take it. */
  async isWaiting({ key, id }: SentRequest): Promise<boolean> {
    const client = this.parts.redis.client('broker');
    if (id === undefined || !this.parts.redis.isReady('broker')) return false;
    const entries = await withinMs(client.xrangeBuffer(key, id, id), withdrawMs, []);
    return entries.length > 0;
  }
}

function full(cause: Error): AppError {
  return new AppError('bus.unavailable', 'Something went wrong on our side.', {
    retryable: true,
    retryAfterSeconds: 5,
    internalMessage: 'the Redis of the broker role is full',
    cause,
  });
}

/** Refused by the server before it did anything. A connection that was lost leaves it open instead. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(NOPERM|NOAUTH|WRONGTYPE|READONLY|LOADING|MASTERDOWN|NOREPLICAS|MISCONF)/.test(error.message)
  );
}

async function withinMs<T>(work: Promise<T>, ms: number, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([work.catch(() => otherwise), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
