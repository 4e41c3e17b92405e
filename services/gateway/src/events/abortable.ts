/** Made once: without a reason each abort makes an error of its own, with a stack. */
const over = new Error('the subscription is over');

/**
 * A generator that can be ended while it waits. A plain generator's `return` is heard only when it next yields, which for
 * a subscription may be never; here it fires the signal that the wait listens to, and `close` runs whatever happens.
 */
export function abortable<T>(
  make: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  outer: AbortSignal,
  close: () => void,
): AsyncGenerator<T, void, undefined> {
  // Not AbortSignal.any, whose signals look at those that they are made of each time they are asked. The listener goes with
  // the stream whose signal it listens to: that fires at the latest when the stream is closed.
  const ended = new AbortController();
  const end = (): void => ended.abort(over);
  if (outer.aborted) end();
  else outer.addEventListener('abort', end, { once: true });
  const generator = make(ended.signal);
  const closeAtEnd = (result: IteratorResult<T, void>): IteratorResult<T, void> => {
    if (result.done) close();
    return result;
  };
  const closeAndThrow = (error: unknown): never => {
    close();
    throw error;
  };
  return {
    // As little as can be: this is done for each event of each subscription.
    next: () => generator.next().then(closeAtEnd, closeAndThrow),
    return: () => {
      end();
      return generator.return().then(closeAtEnd, closeAndThrow);
    },
    throw: (error: unknown) => {
      end();
      return generator.throw(error).then(closeAtEnd, closeAndThrow);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return();
    },
  };
}
