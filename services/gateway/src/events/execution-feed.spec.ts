import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunState } from '#libs/contracts';
import { finalStates, World } from '../../test/world.js';
import type { ExecutionEvent } from './execution-event.js';

interface Seen {
  rows: number[];
  versions: number[];
  states: RunState[];
  progress: number[];
  names: string[];
}

function record(seen: Seen, event: ExecutionEvent): void {
  seen.names.push(event.__typename);
  if (event.__typename === 'ExecutionStateChanged') {
    seen.versions.push(event.version);
    seen.states.push(event.state);
    seen.progress.push(event.execution.rows);
  }
  if (event.__typename === 'RowsAppended') {
    for (const { text } of event.page.rows) seen.rows.push((JSON.parse(text) as [number])[0]);
  }
}

type Step =
  | { kind: 'rows'; count: number; isHeard: boolean }
  | { kind: 'run' | 'retell' | 'reconnect' | 'gap' | 'reconcile'; isHeard: boolean }
  | { kind: 'draw'; count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), count: fc.integer({ min: 1, max: 8 }), isHeard: fc.boolean() }),
  fc.record({
    kind: fc.constantFrom(
      'run' as const,
      'retell' as const,
      'reconnect' as const,
      'gap' as const,
      'reconcile' as const,
    ),
    isHeard: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('draw' as const), count: fc.integer({ min: 1, max: 6 }) }),
);

/** Lets whatever is ready run on; a feed that waits for news stays where it is. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

/** A client that draws events, loses its connection, and comes back with its last cursor. */
class Client {
  readonly seen: Seen = { rows: [], versions: [], states: [], progress: [], names: [] };
  private cursor: string | undefined;
  private feed: AsyncGenerator<ExecutionEvent, void, undefined>;
  private pending: Promise<void> | undefined;
  isDone = false;

  constructor(
    private readonly world: World,
    private readonly includeRows: boolean,
  ) {
    this.feed = world.subscribe({ includeRows, nextRow: 0 });
  }

  async draw(): Promise<void> {
    if (this.isDone) return;
    this.pending ??= this.drawOne(this.feed);
    await settle();
  }

  private async drawOne(feed: AsyncGenerator<ExecutionEvent, void, undefined>): Promise<void> {
    const { done, value } = await feed.next();
    // What arrives after the connection was lost is not seen.
    if (feed !== this.feed) return;
    this.pending = undefined;
    if (done) {
      this.isDone = true;
      return;
    }
    this.cursor = value.cursor;
    record(this.seen, value);
  }

  async reconnect(): Promise<void> {
    if (this.isDone) return;
    const old = this.feed;
    this.pending = undefined;
    this.feed = this.world.subscribe({
      includeRows: this.includeRows,
      nextRow: Number(this.cursor?.split(' ')[1] ?? 0),
    });
    await old.return();
  }
}

async function play(world: World, client: Client, steps: readonly Step[]): Promise<void> {
  for (const one of steps) {
    switch (one.kind) {
      case 'rows':
        if (world.state === 'RUNNING') world.commitRows(one.count, one.isHeard);
        break;
      case 'run':
        if (world.state === 'QUEUED') world.change('RUNNING', one.isHeard);
        break;
      case 'retell':
        world.tell();
        break;
      case 'gap':
        world.runs.doubtAll();
        break;
      case 'reconcile':
        world.reconcile();
        break;
      case 'reconnect':
        await client.reconnect();
        break;
      case 'draw':
        for (let count = 0; count < one.count; count++) await client.draw();
    }
    world.clock.advance(100);
    await settle();
  }
}

describe('the events of an execution', () => {
  it('have no gap and no repeat in rows, tell the latest state and end, whatever is lost and however often a client comes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(...finalStates),
        fc.boolean(),
        fc.boolean(),
        async (steps, end, includeRows, isEndHeard) => {
          const world = new World();
          const client = new Client(world, includeRows);
          await play(world, client, steps);
          world.change(end, isEndHeard);
          // Lost messages are made good by the reconciler.
          world.reconcile();
          for (let draws = 0; draws < 500 && !client.isDone; draws++) await client.draw();

          const { rows, versions, names } = client.seen;
          expect(client.isDone).toBe(true);
          expect(names[0]).toBe('ExecutionSnapshot');
          expect(names.at(-1)).toBe('ExecutionStateChanged');
          expect(versions.at(-1)).toBe(world.version);
          expect(versions).toEqual([...versions].sort((one, other) => one - other));
          expect(rows).toEqual(includeRows ? Array.from({ length: world.rows }, (_, index) => index) : []);
          expect(world.runs.size).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tell each version at most once to one connection', async () => {
    const world = new World();
    const client = new Client(world, false);
    await client.draw();
    world.change('RUNNING', true);
    world.tell();
    world.tell();
    for (let draws = 0; draws < 5; draws++) await client.draw();
    expect(client.seen.versions).toEqual([2]);
  });

  it('take a change over as it was heard, without asking for it again', async () => {
    const world = new World();
    const client = new Client(world, false);
    await client.draw();
    world.change('RUNNING', true);
    await client.draw();
    world.change('SUCCEEDED', true);
    for (let draws = 0; draws < 5; draws++) await client.draw();
    expect(client.seen.versions).toEqual([2, 3]);
    expect(client.isDone).toBe(true);
    expect(world.reads).toBe(0);
  });

  it('never tell the run’s state to one who has left it, also where nobody said that they have', async () => {
    const world = new World();
    world.change('RUNNING', true);
    const client = new Client(world, false);
    await client.draw();
    world.own = { state: 'CANCELED', version: 3 };
    world.change('SUCCEEDED', true);
    const states: RunState[] = [];
    const feed = world.subscribe({ includeRows: false, nextRow: 0 });
    for await (const event of feed) if (event.execution) states.push(event.execution.state);
    for (let draws = 0; draws < 5; draws++) await client.draw();
    expect(states).not.toContain('SUCCEEDED');
    expect(client.seen.states.at(-1)).toBe('CANCELED');
  });

  it('tell of the end what its state says, not what a try before it had counted', async () => {
    const world = new World();
    const client = new Client(world, false);
    await client.draw();
    world.change('RUNNING', true);
    world.commitRows(5_000, true);
    await client.draw();
    world.rows = 0;
    world.change('QUEUED', true);
    world.change('RUNNING', true);
    world.rows = 100;
    world.change('SUCCEEDED', true);
    for (let draws = 0; draws < 5; draws++) await client.draw();
    expect(client.seen.progress.at(-1)).toBe(100);
  });

  it('ask where an older release tells of a run, which says less', async () => {
    const world = new World();
    const client = new Client(world, false);
    await client.draw();
    world.isOlderRelease = true;
    world.change('RUNNING', true);
    await client.draw();
    expect(client.seen.versions).toEqual([2]);
    expect(world.reads).toBe(1);
  });

  it('put all rows before the final state, also for one who comes after the end', async () => {
    const world = new World();
    world.change('RUNNING', true);
    world.commitRows(7, true);
    world.change('SUCCEEDED', true);
    const client = new Client(world, true);
    for (let draws = 0; draws < 20; draws++) await client.draw();
    expect(client.seen.names).toEqual([
      'ExecutionSnapshot',
      ...['RowsAppended', 'RowsAppended', 'RowsAppended'],
      'ExecutionStateChanged',
    ]);
    expect(client.seen.rows).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('tell progress as it is now and no more often than twice a second', async () => {
    const world = new World();
    world.change('RUNNING', true);
    const client = new Client(world, false);
    await client.draw();
    world.clock.advance(600);
    for (let burst = 0; burst < 10; burst++) {
      world.commitRows(5, false);
      world.tell();
      await client.draw();
    }
    expect(client.seen.names).toEqual(['ExecutionSnapshot', 'ExecutionProgressed']);
    world.clock.advance(600);
    world.tell();
    await client.draw();
    expect(client.seen.names.at(-1)).toBe('ExecutionProgressed');
  });

  it('end at once when the subscriber leaves, also while nothing happens', async () => {
    const world = new World();
    const feed = world.subscribe({ includeRows: false, nextRow: 0 });
    await feed.next();
    const waiting = feed.next();
    await settle();
    await feed.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(world.runs.size).toBe(0);
  });

  it('leave nothing behind when they are ended before they began', async () => {
    const world = new World();
    await world.subscribe({ includeRows: true, nextRow: 0 }).return();
    expect(world.runs.size).toBe(0);
  });

  it('say that rows are gone to one who had not all of them, once over all connections, and to nobody else', async () => {
    const world = new World();
    world.change('RUNNING', false);
    world.commitRows(5, false);
    world.change('SUCCEEDED', false);
    const reader = new Client(world, true);
    for (let draws = 0; draws < 10; draws++) await reader.draw();
    const partial = new Client(world, true);
    await partial.draw();
    await partial.draw();
    expect(partial.seen.rows).toEqual([0, 1, 2]);
    world.expired = true;
    for (const client of [reader, partial]) {
      client.isDone = false;
      for (let round = 0; round < 3; round += 1) {
        await client.reconnect();
        for (let draws = 0; draws < 2; draws++) await client.draw();
      }
      await client.draw();
    }
    const skips = (client: Client) => client.seen.names.filter((name) => name === 'EventsSkipped');
    expect({ reader: skips(reader), partial: skips(partial) }).toEqual({ reader: [], partial: ['EventsSkipped'] });
    expect(partial.seen.names.at(-1)).toBe('ExecutionStateChanged');
    expect(world.runs.size).toBe(0);
  });

  it('end with what was lost where the subscriber may no longer see it, also among the last rows', async () => {
    const world = new World();
    world.commitRows(9, false);
    const waiting = world.subscribe({ includeRows: false, nextRow: 0 });
    await waiting.next();
    world.change('RUNNING', false);
    world.change('SUCCEEDED', false);
    const reading = world.subscribe({ includeRows: true, nextRow: 0 });
    expect((await reading.next()).value?.__typename).toBe('ExecutionSnapshot');
    expect((await reading.next()).value?.__typename).toBe('RowsAppended');
    world.isHidden = true;
    world.runs.doubtWorkspace('wsp_1');
    for (const feed of [waiting, reading]) await expect(feed.next()).rejects.toThrow('There is no such execution.');
    expect(world.runs.size).toBe(0);
  });

  it('read no rows for one who lost the right to them while they waited for their turn, and give the turn back', async () => {
    const world = new World();
    world.change('RUNNING', false);
    world.commitRows(9, false);
    const asked = Promise.withResolvers<void>();
    const granted = Promise.withResolvers<void>();
    let turnsHeld = 0;
    const turn = async (): Promise<() => void> => {
      asked.resolve();
      await granted.promise;
      turnsHeld += 1;
      return () => {
        turnsHeld -= 1;
      };
    };
    const reading = world.subscribe({ includeRows: true, nextRow: 0, turn });
    expect((await reading.next()).value?.__typename).toBe('ExecutionSnapshot');
    const rows = reading.next();
    await asked.promise;
    world.isHidden = true;
    world.runs.doubtWorkspace('wsp_1');
    granted.resolve();
    await expect(rows).rejects.toThrow('There is no such execution.');
    expect(turnsHeld).toBe(0);
    expect(world.runs.size).toBe(0);
  });
});
