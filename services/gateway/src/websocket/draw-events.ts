import { createSourceEventStream, execute, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { RequestContext } from '../request/request-context.js';
import { runInScope } from '../request/request-scope.js';

/**
 * Runs a subscription: each event is executed when it is drawn, with nothing read before, since an execution in an event
 * is never older than the event.
 */
export async function drawEvents(
  args: ExecutionArgs,
  context: RequestContext,
): Promise<AsyncGenerator<ExecutionResult, void, undefined> | ExecutionResult> {
  const events = await createSourceEventStream({ ...args, contextValue: context });
  return isAsyncIterable(events) ? new DrawnEvents(events[Symbol.asyncIterator](), args, context) : events;
}

class DrawnEvents implements AsyncGenerator<ExecutionResult, void, undefined> {
  constructor(
    private readonly events: AsyncIterator<unknown>,
    private readonly args: ExecutionArgs,
    private readonly context: RequestContext,
  ) {}

  next(): Promise<IteratorResult<ExecutionResult, void>> {
    // Each draw comes from the socket's own work, outside of the request's scope.
    return runInScope(this.context, async (): Promise<IteratorResult<ExecutionResult, void>> => {
      const event: IteratorResult<unknown, unknown> = await this.events.next();
      if (event.done) return { done: true, value: undefined };
      const value = await execute({ ...this.args, rootValue: event.value, contextValue: this.context.afresh() });
      return { done: false, value };
    });
  }

  async return(): Promise<IteratorResult<ExecutionResult, void>> {
    await this.events.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, void>> {
    await this.events.return?.();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}
