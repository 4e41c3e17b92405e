import type { OnApplicationShutdown } from '@nestjs/common';
import { AppError, toAppError } from '#libs/kernel';
import type { PagePlace, PageStore } from '#libs/result-store';

/**
 * The pages of the results service's store, and of no other: in another directory or bucket every page would seem to be
 * missing. So the store is proven before its first page is read, by whoever comes first: a reader or the health check.
 */
export class ProvenPagesStore implements OnApplicationShutdown {
  /** The results service's store, which ours is; undefined where that is not proven. */
  private identity: string | undefined;
  private attempt: Promise<string> | undefined;

  constructor(
    private readonly store: PageStore,
    private readonly askIdentity: () => Promise<string>,
  ) {}

  onApplicationShutdown(): Promise<void> {
    return this.store.close();
  }

  /**
   * The bytes of a page, as they were committed.
   * @param isShared whether others are likely to read it about now
   * @throws AppError result.corrupt where the store is the right one and does not have them, else result.store_unavailable
   */
  async get(place: PagePlace, checksum: Uint8Array, isShared = false): Promise<Uint8Array> {
    const identity = this.identity ?? (await this.prove());
    try {
      return await this.store.get(place, checksum, isShared);
    } catch (error) {
      if (toAppError(error).code !== 'result.corrupt') throw error;
      await this.lookAgain(identity);
      // A disk that was away at the first look may have come back before the second.
      return await this.store.get(place, checksum, isShared);
    }
  }

  /** The page that travels inside a manifest; it is in no store. */
  openInline(place: Omit<PagePlace, 'page'>, sealed: Uint8Array): Uint8Array {
    return this.store.openInline(place, sealed);
  }

  /**
   * Asks nobody where the store is proven. Otherwise there is one attempt at a time, for all who wait; who comes after one
   * that failed begins the next.
   * @throws AppError result.store_unavailable
   */
  async prove(): Promise<string> {
    if (this.identity !== undefined) return this.identity;
    this.attempt ??= this.findIdentity().finally(() => (this.attempt = undefined));
    return this.attempt;
  }

  private async findIdentity(): Promise<string> {
    try {
      const identity = await this.askIdentity();
      await this.store.prove(identity);
      this.identity = identity;
      return identity;
    } catch (error) {
      throw unproven(error);
    }
  }

  /** A disk that was unmounted, or another in its place, lacks the marker as well as the page: then the page is not lost. */
  private async lookAgain(identity: string): Promise<void> {
    try {
      await this.store.prove(identity);
    } catch (error) {
      this.identity = undefined;
      throw unproven(error);
    }
  }
}

function unproven(cause: unknown): AppError {
  const { message } = toAppError(cause);
  return new AppError('result.store_unavailable', 'The result store cannot be used at the moment.', {
    internalMessage: `the result store is not proven: ${message}`,
    retryable: true,
    cause,
  });
}
