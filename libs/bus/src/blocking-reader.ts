import type { Redis } from 'ioredis';
import { backoffMs, delay } from '#libs/kernel';
import type { RedisCall, RedisConnections } from '#libs/redis';
import type { AppLogger } from '#libs/telemetry';
import type { BusMetrics } from './bus-metrics.js';

export const blockMs = 2_000;
/** How much longer than its BLOCK a read may take before its connection counts as dead. */
const marginMs = 2_000;

export interface ReaderParts {
  redis: RedisConnections;
  logger: AppLogger;
  metrics: BusMetrics;
}

/** Sends one command on the reader's own connection, and rejects when it outlives its time. */
export type Call = RedisCall;

interface Steps {
  /** Called before the first read on each new connection. */
  recover(call: Call): Promise<void>;
  read(call: Call): Promise<void>;
  /** What the last reads have begun on the connection; it is closed after that. */
  settle?(): Promise<unknown>;
}

/**
 * A loop of blocking reads on a connection of its own, which never ends by an error: a read that fails or outlives its
 * time gets a new connection, after a backoff.
 */
export class BlockingReader {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private client: Redis | undefined;
  private clientId: number | undefined;

  constructor(
    private readonly name: string,
    /** What it reads; where there are several, they lie together. */
    private readonly key: string,
    private readonly parts: ReaderParts,
    private readonly steps: Steps,
  ) {}

  start(): void {
    this.loop ??= this.run();
  }

  // A method, as the compiler would take a property for unchanged over an await.
  isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Ends the loop at once; what the server has just handed out may be lost with the connection. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.client?.disconnect();
    await this.loop;
  }

  /** Ends the loop after the present read, so that nothing which the server has handed out is lost. */
  async finish(): Promise<void> {
    this.stopping.abort();
    await this.unblock();
    await this.loop;
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping()) {
      let client: Redis | undefined;
      try {
        client = await this.parts.redis.blocking('broker', blockMs, this.key);
        if (this.isStopping()) break;
        this.client = client;
        const connection = client;
        const call: Call = (command, ...args) => inTime(connection.callBuffer(command, ...args));
        this.clientId = await idOf(call);
        await this.steps.recover(call);
        while (!this.isStopping()) {
          await this.steps.read(call);
          failures = 0;
        }
        await this.steps.settle?.();
      } catch (err) {
        if (this.isStopping()) break;
        this.parts.metrics.readerErrors.inc({ reader: this.name });
        if (failures === 0)
          this.parts.logger.warn({ err, reader: this.name }, 'a reader of the bus failed and begins again');
        await delay(backoffMs(failures, { initialMs: 20, maxMs: 1_000 }), { signal: this.stopping.signal });
        failures += 1;
      } finally {
        client?.disconnect();
      }
    }
  }

  /** Makes the server answer a blocked read now. Where it refuses, the read ends with its BLOCK. */
  private async unblock(): Promise<void> {
    if (this.clientId === undefined || !this.client) return;
    const client = this.parts.redis.beside('broker', this.client);
    await client?.client('UNBLOCK', this.clientId).catch(() => undefined);
  }
}

/** What CLIENT UNBLOCK knows this connection by; an ACL may refuse to tell. */
async function idOf(call: Call): Promise<number | undefined> {
  try {
    return Number(await call('CLIENT', 'ID'));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined;
    throw error;
  }
}

/** ioredis' own time-outs have been seen not to fire on a dead connection, and one of them answers null; this one rejects. */
async function inTime(work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the read has outlived its time')), blockMs + marginMs);
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
