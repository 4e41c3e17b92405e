/**
 * A generator that can be ended while it waits. A plain generator's `return` is heard only when it next yields, which for
 * a subscription may be never; here it fires the signal that the wait listens to, and `close` runs whatever happens.
 */
export function abortable<T>(
  make: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  outer: AbortSignal,
  close: () => void,
): AsyncGenerator<T, void, undefined> {
  const ended = new AbortController();
  const generator = closing(make(AbortSignal.any([outer, ended.signal])), close);
  let isStarted = false;
  const next = (): Promise<IteratorResult<T, void>> => {
    isStarted = true;
    return generator.next();
  };
  const end = (): void => {
    ended.abort();
    // A generator that never began runs no finally.
    if (!isStarted) close();
    isStarted = true;
  };
  return {
    next,
    return: async () => {
      end();
      return generator.return();
    },
    throw: async (error: unknown) => {
      end();
      return generator.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return();
    },
  };
}

async function* closing<T>(
  generator: AsyncGenerator<T, void, undefined>,
  close: () => void,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* generator;
  } finally {
    close();
  }
}
