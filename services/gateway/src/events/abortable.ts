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
  const closing = async <R>(step: Promise<IteratorResult<T, R>>): Promise<IteratorResult<T, R>> => {
    try {
      const result = await step;
      if (result.done) close();
      return result;
    } catch (error) {
      close();
      throw error;
    }
  };
  return {
    next: () => closing(generator.next()),
    return: () => {
      end();
      return closing(generator.return());
    },
    throw: (error: unknown) => {
      end();
      return closing(generator.throw(error));
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return();
    },
  };
}
