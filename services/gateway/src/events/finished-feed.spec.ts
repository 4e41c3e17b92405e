import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Execution, FinishedPosition } from '#libs/contracts';
import { FakeClock } from '#libs/testing';
import type { ExecutionEvent } from './execution-event.js';
import { FinishedFeed } from './finished-feed.js';
import { Revision } from './revision.js';

/** A list of ended executions of which the oldest may be gone. */
class FinishedList {
  readonly revision = new Revision();
  /** Of each feed its own. */
  private readonly revisions = new Set([this.revision]);
  readonly ended: { position: FinishedPosition; execution: Execution }[] = [];
  readonly clock = new FakeClock();
  /** What the subscriber may no longer see. */
  readonly hidden = new Set<string>();
  keptFrom = 0;
  /** The cursor that the feed begun last went on from. */
  begunAt: string | undefined;

  finish(sequence: number): void {
    const position = { xid: '1', sequence };
    this.ended.push({ position, execution: executionOf(sequence) });
    for (const revision of this.revisions) revision.raise();
  }

  feed(revision = this.revision) {
    this.revisions.add(revision);
    return new FinishedFeed({
      revision,
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
      begunAt: (cursor) => void (this.begunAt = cursor),
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
  it('without a cursor begin with what ends from now on, and say where that is before anything has ended', async () => {
    const list = new FinishedList();
    list.finish(1);
    const events = list.feed().events(undefined, new AbortController().signal);
    const next = events.next();
    await Promise.resolve();
    await Promise.resolve();
    expect(list.begunAt).toBe('1');
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

/** One subscriber, who goes on behind the last cursor that came to them. */
class Subscriber {
  readonly told: number[] = [];
  /** Everything before it was said to be gone. */
  skippedBefore = 0;
  private position: FinishedPosition = { xid: '1', sequence: 0 };
  private leaving = new AbortController();
  private events: AsyncGenerator<ExecutionEvent>;
  private next: Promise<IteratorResult<ExecutionEvent>> | undefined;

  constructor(private readonly list: FinishedList) {
    this.events = list.feed(new Revision()).events(this.position, this.leaving.signal);
  }

  /** What was under way to them is lost. */
  reconnect(): void {
    this.leaving.abort();
    this.next = undefined;
    this.leaving = new AbortController();
    this.events = this.list.feed(new Revision()).events(this.position, this.leaving.signal);
  }

  /** Takes as many events as there are, at most so many. */
  async draw(count: number): Promise<void> {
    for (let drawn = 0; drawn < count; drawn++) {
      let settled: IteratorResult<ExecutionEvent> | undefined;
      this.next ??= this.events.next();
      void this.next.then((result) => (settled = result));
      await vi.advanceTimersByTimeAsync(0);
      if (!settled) await vi.advanceTimersByTimeAsync(10_000);
      if (!settled || settled.done) return;
      this.next = undefined;
      this.take(settled.value);
    }
  }

  leave(): void {
    this.leaving.abort();
  }

  private take({ __typename, cursor }: ExecutionEvent): void {
    this.position = { xid: '1', sequence: Number(cursor) };
    if (__typename === 'EventsSkipped') this.skippedBefore = Math.max(this.skippedBefore, Number(cursor) + 1);
    else this.told.push(Number(cursor));
  }
}

type Step = (list: FinishedList, subscriber: Subscriber) => void | Promise<void>;

const upTo = (max: number) => fc.integer({ min: 1, max });
const steps: fc.Arbitrary<{ name: string; do: Step }> = fc.oneof(
  upTo(130).map((count) => ({
    name: `${count} end`,
    do: (list: FinishedList) => {
      for (let left = count; left > 0; left--) list.finish(list.ended.length + 1);
    },
  })),
  upTo(60).map((count) => ({
    name: `${count} are trimmed`,
    do: (list: FinishedList) => {
      list.keptFrom = Math.min(list.ended.length + 1, list.keptFrom + count);
    },
  })),
  upTo(200).map((sequence) => ({
    name: `${sequence} is hidden`,
    do: (list: FinishedList) => void list.hidden.add(`exe_${sequence}`),
  })),
  upTo(150).map((count) => ({
    name: `${count} are drawn`,
    do: (_list: FinishedList, subscriber: Subscriber) => subscriber.draw(count),
  })),
  upTo(3_000).map((ms) => ({ name: `${ms} ms pass`, do: (list: FinishedList) => list.clock.advance(ms) })),
  fc.constant({
    name: 'they reconnect',
    do: (_list: FinishedList, subscriber: Subscriber) => subscriber.reconnect(),
  }),
);

describe('whatever ends, is trimmed, hidden, drawn and lost on the way', () => {
  afterEach(() => void vi.useRealTimers());

  it('each end that may be seen is told once, in order, or said to be skipped', async () => {
    vi.useFakeTimers();
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 30 }), async (schedule) => {
        const list = new FinishedList();
        const subscriber = new Subscriber(list);
        for (const step of schedule) await step.do(list, subscriber);
        await subscriber.draw(Infinity);
        subscriber.leave();
        const { told, skippedBefore } = subscriber;
        expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b));
        const missing = list.ended
          .map(({ position }) => position.sequence)
          .filter((sequence) => sequence >= skippedBefore && !list.hidden.has(`exe_${sequence}`))
          .filter((sequence) => !told.includes(sequence));
        expect(missing).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
