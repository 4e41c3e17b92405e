import { Injectable } from '@nestjs/common';
import DataLoader from 'dataloader';
import { runRequests, type Execution } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';

/** The services answer at most this many in one request. */
const idsMax = 100;
/** Whoever comes while a request is under way waits for its answer to ask together with others, but no longer than this. */
const gatherMsMax = 10;

/**
 * Reads executions for subscriptions. A message wakes all who watch a run at once, and after a gateway's end its clients
 * come together: those of one caller are answered by one request. Nothing is remembered beyond it: a read is never older
 * than its call.
 */
@Injectable()
export class ExecutionReader {
  // What may be seen is what one proof allows, and the same token proves the same principal object.
  private readonly byPrincipal = new Map<Principal, Readers>();

  /** @throws AppError run.not_found where there is none that the caller may see */
  async read(id: string, context: RequestContext): Promise<Execution> {
    const { principal } = context.caller;
    const readers = this.byPrincipal.get(principal) ?? { loader: loaderFor(context.pinned()), count: 0 };
    this.byPrincipal.set(principal, readers);
    readers.count += 1;
    try {
      const execution = await readers.loader.load(id);
      if (!execution) throw new AppError('run.not_found', 'There is no such execution.', { path: ['id'] });
      return execution;
    } finally {
      // A loader holds on to the one it was made for, whose connection may be long gone while the token is remembered.
      if (--readers.count === 0) this.byPrincipal.delete(principal);
    }
  }
}

/** Those of one caller who read at this moment. */
interface Readers {
  readonly loader: DataLoader<string, Execution | null>;
  count: number;
}

function loaderFor(context: RequestContext): DataLoader<string, Execution | null> {
  let underWay: Promise<unknown> | undefined;
  return new DataLoader(
    (ids: readonly string[]) => {
      const reading = readAll(ids, context);
      const answered = (): void => {
        if (underWay === reading) underWay = undefined;
      };
      underWay = reading;
      reading.then(answered, answered);
      return reading;
    },
    { cache: false, batchScheduleFn: (dispatch) => gather(underWay, dispatch) },
  );
}

function gather(underWay: Promise<unknown> | undefined, dispatch: () => void): void {
  if (!underWay) {
    setImmediate(dispatch);
    return;
  }
  let isDispatched = false;
  const once = (): void => {
    if (!isDispatched) dispatch();
    isDispatched = true;
    clearTimeout(timer);
  };
  const timer = setTimeout(once, gatherMsMax);
  underWay.then(once, once);
}

async function readAll(ids: readonly string[], context: RequestContext): Promise<(Execution | null)[]> {
  const distinct = [...new Set(ids)];
  const found = new Map<string, Execution>();
  for (let from = 0; from < distinct.length; from += idsMax) {
    const { executions } = await context.ask(runRequests.getExecutions, { ids: distinct.slice(from, from + idsMax) });
    for (const execution of executions) found.set(execution.id, execution);
  }
  return ids.map((id) => found.get(id) ?? null);
}
