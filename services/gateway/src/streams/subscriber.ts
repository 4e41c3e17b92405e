import type { StreamOperation } from './stream-operation.js';
import type { Outlet } from './outlet.js';

/**
 * One subscription of one client. What it is told goes past it straight to its outlet; to iterate it is to wait for its
 * end. At any time it is fed by one stream, with others that are to be told the same, or alone.
 */
export class Subscriber implements AsyncGenerator<never, void, undefined> {
  stream: { leave(member: Subscriber): void } | undefined;
  private readonly end = Promise.withResolvers<IteratorReturnResult<void>>();

  constructor(
    readonly operation: StreamOperation,
    readonly outlet: Outlet,
  ) {
    // Whoever awaits the end hears of a fault; one that nobody awaits any more is no fault of the process.
    this.end.promise.catch(() => undefined);
  }

  /** All has been told. */
  complete(): void {
    this.end.resolve({ done: true, value: undefined });
  }

  fail(fault: unknown): void {
    this.end.reject(fault);
  }

  next(): Promise<IteratorReturnResult<void>> {
    return this.end.promise;
  }

  /** Also behind a fault, which `next` has told. */
  return(): Promise<IteratorReturnResult<void>> {
    this.complete();
    this.stream?.leave(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  async throw(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
