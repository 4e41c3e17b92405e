import { describe, expect, it } from 'vitest';
import { until } from '#libs/testing';
import { BusFixture } from '../test/fixture.js';
import { ConsumerJanitor } from './consumer-janitor.js';
import { DeadLetters } from './dead-letters.js';
import { StreamMark } from './stream-mark.js';
import { StreamTrimmer } from './stream-trimmer.js';

const day = 24 * 3_600_000;

describe('an event', () => {
  it('S13: that takes its process with it each time becomes a dead letter without being handled once more', async () => {
    await using bus = await BusFixture.start();
    const id = await bus.tell('run_poison');
    await bus.handToDead([id], 3);
    let handled = 0;
    bus.readEvents('alive', async () => void (handled += 1));
    const letters = new DeadLetters(bus.parts.redis, bus.eventKey);
    await until(async () => (await letters.count()) === 1);
    expect(handled).toBe(0);
    expect(await bus.pending()).toBe(0);
    const reason = 'it was handed out 3 times without an end';
    expect(await letters.list()).toMatchObject([{ group: 'results', entryId: id, reason }]);
  });

  it('that is no message of the bus becomes a dead letter at once', async () => {
    await using bus = await BusFixture.start();
    await bus.redis.xadd(bus.eventKey, '*', 'e', 'rubbish\xff');
    bus.readEvents('a', async () => undefined);
    const letters = new DeadLetters(bus.parts.redis, bus.eventKey);
    await until(async () => (await letters.count()) === 1);
    expect((await letters.list())[0]?.reason).toContain('no message');
    expect(await bus.pending()).toBe(0);
  });

  it('that fails comes again after a growing wait, and stays with its consumer meanwhile', async () => {
    await using bus = await BusFixture.start();
    const times: number[] = [];
    const fails = async (): Promise<void> => {
      times.push(performance.now());
      if (times.length < 4) throw new Error('not yet');
    };
    const options = { claimAfterMs: 5_000, deliveriesMax: 10 };
    bus.readEvents('a', fails, options);
    bus.readEvents('b', fails, options);
    await bus.tell('run_1');
    await until(() => times.length === 4);
    await until(async () => (await bus.pending()) === 0);
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    // Full jitter: between half and all of 200, 400 and 800 ms.
    expect(waits[0]).toBeGreaterThanOrEqual(95);
    expect(waits[2]).toBeGreaterThanOrEqual(395);
  });

  it('that is handled for longer than the dead are given is not taken over', async () => {
    await using bus = await BusFixture.start();
    let began = 0;
    const handle = async (): Promise<void> => {
      began += 1;
      const from = performance.now();
      await until(() => performance.now() - from > 800);
    };
    bus.readEvents('a', handle, { claimAfterMs: 150 });
    bus.readEvents('b', handle, { claimAfterMs: 150 });
    await bus.tell('run_1');
    await until(async () => began > 0 && (await bus.pending()) === 0);
    expect(began).toBe(1);
  });

  it('S10: that is told twice comes under the same id, by which its effect is known', async () => {
    await using bus = await BusFixture.start();
    const seen: string[] = [];
    bus.readEvents('a', async (_event, { messageId }) => void seen.push(messageId));
    await bus.tell('run_1', { id: 'msg_same' });
    await bus.tell('run_1', { id: 'msg_same' });
    await until(() => seen.length === 2);
    expect(new Set(seen)).toEqual(new Set(['msg_same']));
  });

  it('has all the time it needs, as nobody waits for it', async () => {
    await using bus = await BusFixture.start();
    let remaining = 0;
    bus.readEvents('a', async (_event, context) => void (remaining = context.remainingMs()));
    await bus.tell('run_1');
    await until(() => remaining > 0);
    expect(remaining).toBe(Infinity);
  });

  it('that is in hand when its reader drains is finished and acknowledged; S11: its consumer goes, and only when it holds nothing', async () => {
    await using bus = await BusFixture.start();
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let began = false;
    const reader = bus.readEvents('a', async ({ runId }) => {
      began = true;
      if (runId === 'run_1') await opened;
    });
    await bus.tell('run_1');
    await until(() => began);
    const drained = reader.drain();
    open();
    await drained;
    expect(await bus.pending()).toBe(0);
    expect(await bus.redis.xinfo('CONSUMERS', bus.eventKey, 'results')).toEqual([]);
    const id = await bus.tell('run_2');
    await bus.handToDead([id], 1);
    await new ConsumerJanitor({ key: bus.eventKey, group: 'results', consumer: 'x' }, bus.parts, 0).deleteLeaked();
    expect(await bus.pending()).toBe(1);
  });
});

describe('an event of an ordered stream', () => {
  const ordered = { ordered: true, concurrency: 1, deliveriesMax: Infinity, claimAfterMs: 60 } as const;

  it('that fails holds up those after it, more often than others are tried, and none is given up or passed', async () => {
    await using bus = await BusFixture.start();
    const done: string[] = [];
    let failures = 0;
    let running = 0;
    bus.readEvents(
      'a',
      async ({ runId }) => {
        running += 1;
        expect(running).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running -= 1;
        if (runId === 'run_1' && failures < 15) {
          failures += 1;
          throw new Error('its database is away');
        }
        done.push(runId);
      },
      ordered,
    );
    const ids = Array.from({ length: 20 }, (_, each) => `run_${each}`);
    for (const id of ids) await bus.tell(id);
    await until(() => done.length === ids.length);
    expect(done).toEqual(ids);
    expect(failures).toBe(15);
    expect(await new DeadLetters(bus.parts.redis, bus.eventKey).count()).toBe(0);
  });

  it('that can never be handled lets the others by in the end, is kept, and shows as what the group is behind', async () => {
    await using bus = await BusFixture.start();
    const done: string[] = [];
    const handle = async ({ runId }: { runId: string }): Promise<void> => {
      if (runId === 'run_poison') throw new Error('never');
      done.push(runId);
    };
    bus.readEvents('a', handle, ordered);
    await bus.tell('run_poison');
    await bus.tell('run_1');
    await until(() => done.length === 1);
    expect(await bus.pending()).toBe(1);
    expect(await new DeadLetters(bus.parts.redis, bus.eventKey).count()).toBe(0);
    await new StreamTrimmer('run', bus.parts).trim();
    expect(await bus.metric('bus_event_lag', 'group="results"')).toBe(1);
  });

  it('that fails holds up no reader that drains', async () => {
    await using bus = await BusFixture.start();
    let failures = 0;
    const fails = async (): Promise<void> => {
      failures += 1;
      throw new Error('not yet');
    };
    const reader = bus.readEvents('a', fails, { ...ordered, claimAfterMs: 600_000 });
    await bus.tell('run_1');
    await until(() => failures >= 4);
    const from = performance.now();
    await reader.drain();
    expect(performance.now() - from).toBeLessThan(700);
    expect(await bus.pending()).toBe(1);
  });
});

describe('events that gather in an ordered stream', () => {
  const ordered = { ordered: true, concurrency: 1, deliveriesMax: Infinity, claimAfterMs: 600_000 } as const;
  const ids = Array.from({ length: 20 }, (_, each) => `run_${each}`);
  const tell = async (bus: BusFixture): Promise<string[]> => {
    const told: string[] = [];
    for (const id of ids) told.push(await bus.tell(id));
    return told;
  };

  it('are handled together, in their order, and acknowledged together', async () => {
    await using bus = await BusFixture.start();
    await tell(bus);
    const calls: string[][] = [];
    bus.readGathered(
      'a',
      async (events) => {
        for (const { context } of events) expect(context.messageId).toMatch(/^msg_/);
        calls.push(events.map(({ payload }) => payload.runId));
      },
      ordered,
    );
    await until(() => calls.length > 0);
    expect(calls).toEqual([ids]);
    await until(async () => (await bus.pending()) === 0);
    await bus.tell('run_alone');
    await until(() => calls.length > 1);
    expect(calls[1]).toEqual(['run_alone']);
  });

  it('come one by one where one of them fails, which holds up those after it and not those before', async () => {
    await using bus = await BusFixture.start();
    await tell(bus);
    const done: string[] = [];
    const doneBefore: string[][] = [];
    let failures = 0;
    bus.readGathered(
      'a',
      async (events) => {
        const told = events.map(({ payload }) => payload.runId);
        if (told.includes('run_7') && failures < 4) {
          failures += 1;
          if (told.length === 1) doneBefore.push([...done]);
          throw new Error('its database is away');
        }
        done.push(...told);
      },
      ordered,
    );
    await until(() => done.length === ids.length);
    expect(done).toEqual(ids);
    expect(doneBefore).toEqual([0, 1, 2].map(() => ids.slice(0, 7)));
    await until(async () => (await bus.pending()) === 0);
  });

  it('and were in the hand of a process that died are all handled by another, each by itself', async () => {
    await using bus = await BusFixture.start();
    await bus.handToDead(await tell(bus), 1);
    const calls: string[][] = [];
    const soon = { ...ordered, claimAfterMs: 60 };
    bus.readGathered('a', async (events) => void calls.push(events.map(({ payload }) => payload.runId)), soon);
    await until(() => calls.length === ids.length);
    expect(calls).toEqual(ids.map((id) => [id]));
  });

  it('and are not begun when a reader drains are left to others at once', async () => {
    await using bus = await BusFixture.start();
    await tell(bus);
    let failures = 0;
    const fails = async (): Promise<void> => {
      failures += 1;
      throw new Error('not yet');
    };
    const reader = bus.readGathered('a', fails, ordered);
    await until(() => failures >= 3);
    await reader.drain();
    const done: string[] = [];
    bus.readGathered('b', async (events) => void done.push(...events.map(({ payload }) => payload.runId)), ordered);
    await until(() => done.length === ids.length - 1);
    expect(done).toEqual(ids.slice(1));
  });
});

describe('a stream of events', () => {
  it('loses the oldest where it is too large, counts them, and is to be told again', async () => {
    await using bus = await BusFixture.start();
    for (let each = 0; each < 300; each += 1) await bus.tell(`run_${each}`);
    const mark = new StreamMark(bus.eventKey, bus.parts.redis);
    const token = await mark.beginRebuild();
    await mark.endRebuild(token ?? '');
    await new StreamTrimmer('run', bus.parts, { ageMsMax: day, bytesMax: 20_000 }).trim();
    const left = await bus.redis.xlen(bus.eventKey);
    expect(left).toBeLessThan(300);
    expect(left).toBeGreaterThan(0);
    expect(await bus.metric('bus_lost_total', 'stream="run"')).toBe(300 - left);
    expect(await mark.isMissing()).toBe(true);
  });

  it('loses what is older than its sender keeps it, and counts that', async () => {
    await using bus = await BusFixture.start();
    await bus.redis.xadd(bus.eventKey, '1000-0', 'e', 'old');
    await bus.tell('run_1');
    await new StreamTrimmer('run', bus.parts).trim();
    expect(await bus.redis.xlen(bus.eventKey)).toBe(1);
    expect(await bus.metric('bus_lost_total', 'stream="run"')).toBe(1);
  });

  it('that is ordered keeps what nobody has read, however old: a reader may be away for longer than a sender keeps it', async () => {
    await using bus = await BusFixture.start();
    const key = bus.parts.redis.keys.events('audit-auth', 1);
    await bus.redis.xadd(key, '1000-0', 'e', 'old');
    await new StreamTrimmer('audit-auth', bus.parts).trim();
    expect(await bus.redis.xlen(key)).toBe(1);
    expect(await bus.metric('bus_lost_total', 'stream="audit-auth"')).toBe(0);
  });

  it('tells how far each group is behind, and how much is given up', async () => {
    await using bus = await BusFixture.start();
    const id = await bus.tell('run_1');
    await bus.handToDead([id], 1);
    await bus.tell('run_2');
    await new StreamTrimmer('run', bus.parts).trim();
    expect(await bus.metric('bus_event_lag', 'group="results"')).toBe(2);
    expect(await bus.metric('bus_stream_length', 'stream="run"')).toBe(2);
  });

  it('is marked as whole by one at a time, and a loss in between makes another rebuild due', async () => {
    await using bus = await BusFixture.start();
    const mark = new StreamMark(bus.eventKey, bus.parts.redis);
    expect(await mark.isMissing()).toBe(true);
    const token = await mark.beginRebuild();
    expect(await mark.beginRebuild()).toBeUndefined();
    await mark.remove();
    expect(await mark.endRebuild(token ?? '')).toBe(false);
    expect(await mark.isMissing()).toBe(true);
    const again = await mark.beginRebuild();
    expect(await mark.endRebuild(again ?? '')).toBe(true);
    expect(await mark.isMissing()).toBe(false);
  });
});
