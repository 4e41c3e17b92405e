import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Execution, FinishedPosition } from '#libs/contracts';
import { FakeClock } from '#libs/testing';
import { CursorKeys } from '../cursors/cursor-keys.js';
import { Cursors } from '../cursors/cursors.js';
import type { ExecutionEvent } from './execution-event.js';
import { FinishedFeed } from './finished-feed.js';
import { Revision } from './revision.js';

const cursorKeys = CursorKeys.parse(`k1:${Buffer.alloc(32).toString('base64')}`);
if (!cursorKeys) throw new Error('the key is not good');
const cursors = new Cursors({ cursorKeys });
const placeOf = (cursor: string) => cursors.readFinishedEvent(cursor, 'wsp_1', 'usr_1');

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

  /** With `isShared` it ends with the run of the one before. */
  finish(number: number, isShared = false): void {
    const execution = executionOf(number);
    const before = this.ended.at(-1)?.position.sequence;
    const sequence = isShared && before !== undefined ? before : number;
    this.ended.push({ position: { xid: '1', sequence, executionId: execution.id }, execution });
    for (const revision of this.revisions) revision.raise();
  }

  feed(revision = this.revision) {
    this.revisions.add(revision);
    return new FinishedFeed({
      revision,
      clock: this.clock,
      list: async (after, limit) => {
        const last = { xid: '1', sequence: this.ended.at(-1)?.position.sequence ?? 0 };
        if (!after) return { finished: [], position: last, skipped: false };
        const kept = this.ended.filter(({ position }) => position.sequence >= this.keptFrom);
        const listed = kept.filter(({ position }) => isBehind(position, after)).slice(0, limit);
        const finished = listed.filter(({ execution }) => !this.hidden.has(execution.id));
        const horizon = Math.max(0, ...this.ended.map(sequenceOf).filter((sequence) => sequence < this.keptFrom));
        const skipped = horizon > after.sequence || (horizon === after.sequence && after.executionId !== undefined);
        return { finished, position: listed.length === limit ? listed.at(-1)?.position : last, skipped };
      },
      cursor: (position) => cursors.finishedEvent('wsp_1', 'usr_1', position),
      begunAt: (cursor) => void (this.begunAt = cursor),
    });
  }
}

const sequenceOf = ({ position }: { position: FinishedPosition }): number => position.sequence;

/** As the orchestrator orders them. */
function isBehind(position: FinishedPosition, after: FinishedPosition): boolean {
  if (position.sequence !== after.sequence) return position.sequence > after.sequence;
  return after.executionId !== undefined && (position.executionId ?? '') > after.executionId;
}

const idOf = (number: number): string => `exe_${String(number).padStart(6, '0')}`;

function executionOf(number: number): Execution {
  return {
    id: idOf(number),
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

const numberOf = (event: ExecutionEvent | undefined): number => Number(event?.execution?.id.slice('exe_'.length));
/** Of which executions they tell; none where they say that something is gone. */
const numbersOf = (events: readonly ExecutionEvent[]) =>
  events.filter(({ __typename }) => __typename !== 'EventsSkipped').map(numberOf);

describe('the finished executions of a caller', () => {
  it('without a cursor begin with what ends from now on, and say where that is before anything has ended', async () => {
    const list = new FinishedList();
    list.finish(1);
    const events = list.feed().events(undefined, new AbortController().signal);
    const next = events.next();
    await Promise.resolve();
    await Promise.resolve();
    expect(placeOf(list.begunAt ?? '')).toEqual({ xid: '1', sequence: 1 });
    list.finish(2);
    expect(numbersOf([(await next).value as ExecutionEvent])).toEqual([2]);
  });

  it('go on behind a cursor, each once and in order, over many pages', async () => {
    const list = new FinishedList();
    for (let sequence = 1; sequence <= 250; sequence++) list.finish(sequence);
    const events = list.feed().events({ xid: '1', sequence: 20 }, new AbortController().signal);
    expect(numbersOf(await take(events, 230))).toEqual(Array.from({ length: 230 }, (_, index) => index + 21));
  });

  it('say what is gone, and a cursor from there skips nothing more', async () => {
    const list = new FinishedList();
    for (let sequence = 1; sequence <= 20; sequence++) list.finish(sequence);
    list.keptFrom = 10;
    const signal = new AbortController().signal;
    const [skipped, first] = await take(list.feed().events({ xid: '1', sequence: 2 }, signal), 2);
    expect(skipped).toMatchObject({ __typename: 'EventsSkipped', execution: null });
    expect(first).toMatchObject({ __typename: 'ExecutionStateChanged', execution: { id: idOf(10) } });
    const [resumed] = await take(list.feed().events(placeOf(skipped?.cursor ?? ''), signal), 1);
    expect(resumed).toMatchObject({ __typename: 'ExecutionStateChanged', execution: { id: idOf(10) } });
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
      if (count === 2) for (const sequence of [5, 6, 7]) list.hidden.add(idOf(sequence));
    }
    expect(numbersOf(told)).toEqual([2, 3, 4, 8, 9]);
    expect(told.filter((event) => event.__typename === 'EventsSkipped')).toHaveLength(1);
  });

  it('that share a run go on behind each of them, with the next of that run', async () => {
    const list = new FinishedList();
    list.finish(1);
    for (const number of [2, 3]) list.finish(number, true);
    list.finish(4);
    const signal = new AbortController().signal;
    const events = await take(list.feed().events({ xid: '1', sequence: 0 }, signal), 4);
    for (const [index, { cursor }] of events.entries()) {
      const rest = await take(list.feed().events(placeOf(cursor), signal), events.length - 1 - index);
      expect(numbersOf(rest)).toEqual([2, 3, 4].slice(index));
    }
    expect(new Set(events.map(({ place }) => place)).size).toBe(events.length);
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

  private take(event: ExecutionEvent): void {
    this.position = placeOf(event.cursor);
    const { sequence } = this.position;
    if (event.__typename === 'EventsSkipped') this.skippedBefore = Math.max(this.skippedBefore, sequence + 1);
    else this.told.push(numberOf(event));
  }
}

type Step = (list: FinishedList, subscriber: Subscriber) => void | Promise<void>;

const upTo = (max: number) => fc.integer({ min: 1, max });
const steps: fc.Arbitrary<{ name: string; do: Step }> = fc.oneof(
  fc.tuple(upTo(130), upTo(4)).map(([count, callers]) => ({
    name: `${count} end, of runs of ${callers}`,
    do: (list: FinishedList) => {
      for (let index = 0; index < count; index++) list.finish(list.ended.length + 1, index % callers > 0);
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
    do: (list: FinishedList) => void list.hidden.add(idOf(sequence)),
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
          .filter(({ position, execution }) => position.sequence >= skippedBefore && !list.hidden.has(execution.id))
          .map(({ execution }) => Number(execution.id.slice('exe_'.length)))
          .filter((number) => !told.includes(number));
        expect(missing).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
