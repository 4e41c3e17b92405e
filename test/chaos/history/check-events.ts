import type { ExecutionEvent, ExecutionState } from '../../support/api-types.ts';
import { checkHistory as checkStream, type History } from '../../support/history.ts';
import type { Complain, Count } from './report.ts';
import type { Connection, Ledger, Submission } from './ledger.ts';
import type { ToldEvent } from './operation.ts';

/** From the commit of a final state, from the subscriber's return, or from the end of an outage, whichever is last. */
const toldWithinMs = 10_000;

/** No event of an execution is missed or repeated for a subscriber that resumes, and no row is told that it may not see. */
export function checkEvents(ledger: Ledger, complain: Complain, count: Count): void {
  const ends = new Map(ledger.seen.filter(({ isLast }) => isLast).map((seen) => [seen.execution, seen]));
  for (const submission of ledger.submissions.values()) {
    for (const id of submission.executions) {
      const connections = ledger.connections.get(id);
      if (!connections) continue;
      count('subscribers');
      count('connections', connections.length);
      checkPages(id, connections, complain, count);
      const { faults, rows, finalState, finalAtMs } = checkStream(streamOf(id, connections));
      for (const fault of faults) complain('events', fault);
      const { rows: expected } = submission.question;
      if (finalState === 'SUCCEEDED' && expected !== undefined && rows.length !== expected) {
        complain('events', `${id}: ${rows.length} rows of ${expected} were told`);
      }
      const end = ends.get(id);
      if (!end) continue;
      if (end.state !== finalState)
        complain('events', `${id}: was told ${finalState ?? 'no end'}, but is ${end.state}`);
      const delayMs = finalAtMs === undefined ? 0 : delayOf(finalAtMs, end.finishedAtMs ?? 0, connections, ledger);
      if (delayMs > toldWithinMs)
        complain('events', `${id}: its end was told ${Math.round(delayMs)} ms after its commit`);
    }
  }
}

function checkPages(id: string, connections: Connection[], complain: Complain, count: Count): void {
  for (const { events } of connections) {
    count('events', events.length);
    for (const { event } of events) {
      if (!event.page) continue;
      count('rows', event.page.count);
      if (event.page.wrong > 0) complain('events', `${id}: ${event.page.wrong} rows are wrong`);
      if (event.page.outside > 0) complain('policies', `${id}: ${event.page.outside} rows lie outside the policy`);
    }
  }
}

function streamOf(id: string, connections: readonly Connection[]): History {
  return {
    id,
    includeRows: true,
    sittings: connections.map(({ gateway, events, end }) => ({
      gateway,
      events: events.map(({ event }) => asTold(event)),
      receivedAtMs: events.map(({ atMs }) => atMs),
      end,
    })),
  };
}

const noRow: unknown[] = [];

function asTold({ name, version, state, reason, page }: ToldEvent): ExecutionEvent {
  return {
    __typename: name,
    cursor: '',
    execution: null,
    ...(version === undefined ? {} : { version }),
    // Written down from the same field of the API.
    ...(state === undefined ? {} : { state: state as ExecutionState }),
    ...(reason === undefined ? {} : { reason }),
    ...(page
      ? {
          page: {
            offset: page.offset,
            rows: Array.from({ length: page.count }, () => noRow),
            endCursor: '',
            hasNextPage: false,
          },
        }
      : {}),
  };
}

function delayOf(finalAtMs: number, finishedAtMs: number, connections: Connection[], { outages }: Ledger): number {
  const returnedAtMs = connections.findLast(({ events }) => events.length > 0)?.events[0]?.atMs ?? 0;
  const mended = outages.filter(({ fromMs, toMs }) => fromMs < finalAtMs && toMs > finishedAtMs);
  return finalAtMs - Math.max(finishedAtMs, returnedAtMs, ...mended.map(({ toMs }) => toMs));
}

/**
 * executionsFinished tells each end of a caller's executions once. It begins somewhere, so what counts is what was accepted
 * behind the first event that was told; kept results are told by their answer alone.
 */
export function checkFinished(ledger: Ledger, complain: Complain, count: Count): void {
  const byCaller = Map.groupBy(ledger.finished, ({ caller }) => caller);
  const ends = new Map(ledger.seen.map(({ execution, state }) => [execution, state]));
  const own = Map.groupBy(ledger.submissions.values(), ({ caller }) => caller);
  for (const [caller, told] of byCaller) {
    const times = new Map<string, number>();
    for (const { execution, state } of told) {
      count('ends told to callers');
      times.set(execution, (times.get(execution) ?? 0) + 1);
      if (state.startsWith('skipped')) complain('events', `${caller} was told: ${state}`);
      const end = ends.get(execution);
      if (end !== undefined && end !== state) {
        complain('events', `${caller} was told that ${execution} is ${state}, but it is ${end}`);
      }
    }
    for (const [execution, often] of times) {
      if (often > 1) complain('events', `${caller} was told ${often} times of the end of ${execution}`);
    }
    for (const missed of missedOf(own.get(caller) ?? [], told[0]?.atMs ?? 0, times)) {
      complain('events', `${caller} was not told of the end of ${missed}`);
    }
  }
}

function missedOf(submissions: readonly Submission[], fromMs: number, told: ReadonlyMap<string, number>): string[] {
  return submissions
    .filter(({ isHit, invokedAtMs }) => !isHit && invokedAtMs > fromMs)
    .flatMap(({ executions }) => [...executions])
    .filter((execution) => !told.has(execution));
}
