import { describe, expect, it } from 'vitest';
import type { Execution, FinishedPosition } from '#libs/contracts';
import { FakeClock } from '#libs/testing';
import type { ExecutionEvent } from './execution-event.js';
import { FinishedFeed } from './finished-feed.js';
import { Revision } from './revision.js';

/** A list of ended executions of which the oldest may be gone. */
class FinishedList {
  readonly revision = new Revision();
  readonly ended: { position: FinishedPosition; execution: Execution }[] = [];
  readonly clock = new FakeClock();
  /** What the subscriber may no longer see. */
  readonly hidden = new Set<string>();
  keptFrom = 0;

  finish(sequence: number): void {
    const position = { xid: '1', sequence };
    this.ended.push({ position, execution: executionOf(sequence) });
    this.revision.raise();
  }

  feed() {
    return new FinishedFeed({
      revision: this.revision,
      clock: this.clock,
      list: async (after, limit) => {
        const last = this.ended.at(-1)?.position ?? { xid: '0', sequence: 0 };
        if (!after) return { finished: [], position: last, skipped: false };
        const kept = this.ended.filter(({ position }) => position.sequence >= this.keptFrom);
        const listed = kept.filter(({ position }) => position.sequence > after.sequence).slice(0, limit);
        const finished = listed.filter(({ execution }) => !this.hidden.has(execution.id));
        const skipped = after.sequence < this.keptFrom - 1;
        return { finished, position: listed.at(-1)?.position ?? last, skipped };
      },
      cursor: ({ sequence }) => String(sequence),
    });
  }
}

function executionOf(sequence: number): Execution {
  return {
    id: `exe_${sequence}`,
    workspaceId: 'wsp_1',
    runId: 'run_1',
    fence: 1,
    state: 'SUCCEEDED',
    version: 3,
    dataSourceId: 'src_1',
    priority: 'INTERACTIVE',
    submittedById: 'usr_1',
    submittedAt: new Date(0),
    finishedAt: new Date(1),
    rows: 0,
    bytes: 0,
    cacheStatus: 'MISS',
    attempts: 1,
  };
}

async function take(events: AsyncGenerator<ExecutionEvent>, count: number): Promise<ExecutionEvent[]> {
  const taken: ExecutionEvent[] = [];
  while (taken.length < count) {
    const { done, value } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const cursorsOf = (events: readonly ExecutionEvent[]) => events.map(({ cursor }) => Number(cursor));

describe('the finished executions of a caller', () => {
  it('without a cursor begin with what ends from now on', async () => {
    const list = new FinishedList();
    list.finish(1);
    const events = list.feed().events(undefined, new AbortController().signal);
    const next = events.next();
    await Promise.resolve();
    await Promise.resolve();
    list.finish(2);
    expect(cursorsOf([(await next).value as ExecutionEvent])).toEqual([2]);
  });

  it('go on behind a cursor, each once and in order, over many pages', async () => {
    const list = new FinishedList();
    for (let sequence = 1; sequence <= 250; sequence++) list.finish(sequence);
    const events = list.feed().events({ xid: '1', sequence: 20 }, new AbortController().signal);
    expect(cursorsOf(await take(events, 230))).toEqual(Array.from({ length: 230 }, (_, index) => index + 21));
  });

  it('say what is gone, and a cursor from there skips nothing more', async () => {
    const list = new FinishedList();
    for (let sequence = 1; sequence <= 20; sequence++) list.finish(sequence);
    list.keptFrom = 10;
    const signal = new AbortController().signal;
    const [skipped, first] = await take(list.feed().events({ xid: '1', sequence: 2 }, signal), 2);
    expect(skipped).toMatchObject({ __typename: 'EventsSkipped', execution: null });
    expect(first).toMatchObject({ __typename: 'ExecutionStateChanged', cursor: '10' });
    const [resumed] = await take(list.feed().events({ xid: '1', sequence: Number(skipped?.cursor) }, signal), 1);
    expect(resumed).toMatchObject({ __typename: 'ExecutionStateChanged', cursor: '10' });
  });

  it('are told no more to a slow subscriber who may no longer see them, and to others each once', async () => {
    const list = new FinishedList();
    for (let sequence = 1; sequence <= 9; sequence++) list.finish(sequence);
    list.keptFrom = 2;
    const events = list.feed().events({ xid: '1', sequence: 0 }, new AbortController().signal);
    const told: ExecutionEvent[] = [];
    for (let count = 0; count < 6; count++) {
      told.push(...(await take(events, 1)));
      list.clock.advance(1_000);
      if (count === 2) for (const sequence of [5, 6, 7]) list.hidden.add(`exe_${sequence}`);
    }
    expect(cursorsOf(told)).toEqual([1, 2, 3, 4, 8, 9]);
    expect(told.filter((event) => event.__typename === 'EventsSkipped')).toHaveLength(1);
  });

  it('end when the subscriber leaves', async () => {
    const leaving = new AbortController();
    const next = new FinishedList().feed().events(undefined, leaving.signal).next();
    leaving.abort();
    expect(await next).toMatchObject({ done: true });
  });
});
