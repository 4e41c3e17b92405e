import type { Redis } from 'ioredis';
import { backoffMs, delay } from '#libs/kernel';
import type { RedisConnections } from '#libs/redis';
import type { AppLogger } from '#libs/telemetry';
import type { BusMetrics } from './bus-metrics.js';

export const blockMs = 2_000;

export interface ReaderParts {
  redis: RedisConnections;
  logger: AppLogger;
  metrics: BusMetrics;
}

/** Sends one command of the reader's own connection, and gives up when it outlives its time. */
export type Call = (command: string, ...args: (string | number)[]) => Promise<unknown>;

/**
 * A loop of blocking reads on a connection of its own, which never ends by an error: a read that fails or outlives its
 * time gets a new connection, after a backoff. `recover` is called before the first read and after each failure.
 */
export class BlockingReader {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private client: Redis | undefined;

  constructor(
    private readonly name: string,
    private readonly parts: ReaderParts,
    private readonly steps: { recover(call: Call): Promise<void>; read(call: Call): Promise<void> },
  ) {}

  start(): void {
    this.loop = this.run();
  }

  // A method, as the compiler would take a property for unchanged over an await.
  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Lets the present read go; resolves when the loop has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.client?.disconnect();
    await this.loop;
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping()) {
      try {
        const client = this.parts.redis.blocking('broker', blockMs);
        this.client = client;
        const call: Call = (command, ...args) => withWatchdog(client.callBuffer(command, ...args));
        await this.steps.recover(call);
        while (!this.isStopping()) {
          await this.steps.read(call);
          failures = 0;
        }
      } catch (err) {
        if (this.isStopping()) break;
        this.parts.metrics.readerErrors.inc({ reader: this.name });
        if (failures === 0)
          this.parts.logger.warn({ err, reader: this.name }, 'a reader of the bus failed and begins again');
        await delay(backoffMs(failures, { initialMs: 20, maxMs: 1_000 }), { signal: this.stopping.signal });
        failures += 1;
      } finally {
        this.client?.disconnect();
      }
    }
  }
}

/** The client's own time-outs have been seen not to fire on a dead connection; this one does not depend on it. */
async function withWatchdog<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bark = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the read has outlived its time')), blockMs + 6_000);
  });
  try {
    return await Promise.race([work, bark]);
  } finally {
    clearTimeout(timer);
  }
}
