import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { AppError, delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import { DataSourceRepository, type DataSourceKey } from '../data-source/data-source.repository.js';
import { toConnection } from '../data-source/to-data-source.js';
import { SourceTableRepository } from './source-table.repository.js';
import { WorkerClient } from './worker.client.js';

const attemptsMax = 3;
const failureKeptMs = 10_000;
const failuresMax = 1_000;
const reserveMs = 250;

/** Reads the schemas of sources, of each source once at a time. */
@Injectable()
export class SchemaRefreshService implements OnModuleInit {
  private readonly running = new Map<string, Promise<void>>();
  /** A source that has just failed is not asked again for every look at its tables. */
  private readonly failures = new LRUCache<string, AppError>({ max: failuresMax, ttl: failureKeptMs });

  constructor(
    private readonly sources: DataSourceRepository,
    private readonly tables: SourceTableRepository,
    private readonly worker: WorkerClient,
    private readonly lifecycle: Lifecycle,
    private readonly logger: AppLogger,
  ) {}

  onModuleInit(): void {
    this.lifecycle.onDrain('schema refresh', () => this.idle());
  }

  /**
   * Reads the schema now, or waits for the reading that is under way.
   * @throws AppError what keeps it from being read, and `source.unavailable` where `remainingMs` is over first
   */
  async refresh(key: DataSourceKey, requestId: string, remainingMs: number): Promise<void> {
    const timeIsUp = new AbortController();
    try {
      await Promise.race([
        this.start(key, requestId),
        delay(Math.max(0, remainingMs - reserveMs), { signal: timeIsUp.signal, unref: true }).then(refuseIfUp),
      ]);
    } finally {
      timeIsUp.abort();
    }
    function refuseIfUp(): void {
      if (timeIsUp.signal.aborted) return;
      throw new AppError('source.unavailable', 'The schema is still being read. Try again.', { retryable: true });
    }
  }

  /** For a source whose schema nobody has read yet, and who wants to see its tables. */
  async readFirst(key: DataSourceKey, requestId: string, remainingMs: number): Promise<void> {
    const failure = this.failures.get(key.id);
    if (failure) throw failure;
    await this.refresh(key, requestId, remainingMs);
  }

  /** Reads the schema while nobody waits; a failure is logged, as the next look at the tables tries again. */
  refreshBehind(key: DataSourceKey, requestId: string): void {
    this.failures.delete(key.id);
    this.start(key, requestId).catch((error: unknown) => {
      this.logger.warn({ err: error, dataSourceId: key.id }, 'the schema of a data source could not be read');
    });
  }

  /** Resolves when no schema is being read any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.running.values());
  }

  private start(key: DataSourceKey, requestId: string): Promise<void> {
    const known = this.running.get(key.id);
    if (known) return known;
    const begun = this.read(key, requestId)
      .catch((error: unknown) => {
        if (error instanceof AppError) this.failures.set(key.id, error);
        throw error;
      })
      .finally(() => this.running.delete(key.id));
    this.running.set(key.id, begun);
    return begun;
  }

  /** Of a source that changes meanwhile the schema is read again: what was read may be another database's. */
  private async read(key: DataSourceKey, requestId: string): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const source = await this.sources.get(key);
      const tables = await this.worker.readSchema(toConnection(source), { requestId });
      if (await this.tables.replace(source, tables)) {
        this.failures.delete(key.id);
        return;
      }
    }
    throw new AppError('source.unavailable', 'The data source was changed while its schema was read. Try again.', {
      retryable: true,
    });
  }
}
