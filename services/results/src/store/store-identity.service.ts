import { randomUUID } from 'node:crypto';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import { ResultStore } from '#libs/result-store';
import { StoreRepository } from './store.repository.js';

/**
 * Sees to it that this database and this directory belong together, and that workers and gateways can prove that they
 * see the same one: on one machine by accident another directory is as good as any, until a page is missing.
 */
@Injectable()
export class StoreIdentityService implements OnApplicationShutdown {
  private proven: string | undefined;

  constructor(
    private readonly store: ResultStore,
    private readonly repository: StoreRepository,
  ) {}

  /**
   * Marks a new directory, once; after that only the directory with the mark will do. Safe in any number of processes.
   * @throws AppError result.store_unavailable
   */
  async open(): Promise<void> {
    const { identity, isMarked } = await this.repository.identity(randomUUID());
    // A directory that has lost its marker is more likely another directory than a new one.
    if (!isMarked) await this.store.mark(identity);
    await this.store.prove(identity);
    if (!isMarked) await this.repository.setMarked();
    this.proven = identity;
  }

  onApplicationShutdown(): Promise<void> {
    return this.store.close();
  }

  /** Rejects where the directory is not, or no longer, ours. */
  async check(): Promise<void> {
    await this.store.prove(this.identity());
  }

  identity(): string {
    if (this.proven !== undefined) return this.proven;
    throw new AppError('result.store_unavailable', 'The result store cannot be used at the moment.', {
      retryable: true,
    });
  }
}
