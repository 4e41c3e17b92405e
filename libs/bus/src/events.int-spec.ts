import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { envelopeCodec, runFinished, type RunFinished } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, until, type RedisServer } from '#libs/testing';
import type { ReaderParts } from './blocking-reader.js';
import { BusMetrics } from './bus-metrics.js';
import { DeadLetters } from './dead-letters.js';
import { EventReader, type EventReaderOptions } from './event-reader.js';
import { StreamTrimmer } from './stream-trimmer.js';

const event: RunFinished = { runId: 'run_1', workspaceId: 'wsp_1', fence: 1, state: 'SUCCEEDED' };

describe('events', () => {
  let redis: RedisServer;
  let parts: ReaderParts;
  let metrics: MetricsRegistry;
  let key: string;
  let readers: EventReader[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  beforeEach(async () => {
    const logger = AppLogger.create({ service: 'results', instance: 'results', level: 'silent' });
    const role = { url: redis.url };
    const connections = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, logger);
    metrics = new MetricsRegistry('results');
    parts = { redis: connections, logger, metrics: new BusMetrics(metrics) };
    key = connections.keys.events('run', 1);
    readers = [];
    await connections.client('broker').flushall();
  });
  afterEach(async () => {
    await Promise.all(readers.map((reader) => reader.drain()));
    await parts.redis.close();
  });

  function read(
    consumer: string,
    handle: (event: RunFinished) => Promise<void>,
    options: Partial<EventReaderOptions> = {},
    onLoss: () => void = () => undefined,
    type: string = runFinished.type,
  ): EventReader {
    const reader = new EventReader(
      {
        ...{ area: 'run', key, group: 'results', consumer, concurrency: 4, claimAfterMs: 100, deliveriesMax: 3 },
        ...options,
      },
      [{ ...runFinished, type }],
      new Map([[type, Object.assign(async (data: RunFinished) => handle(data), { next: undefined })]]) as never,
      parts,
      onLoss,
    );
    reader.start();
    readers.push(reader);
    return reader;
  }

  async function tell(runId: string, type: string = runFinished.type): Promise<void> {
    const envelope = envelopeCodec.encode({
      ...{ id: newId('message'), kind: 'EVENT', type, version: 1, workspaceId: 'wsp_1', requestId: 'req_1' },
      ...{ traceparent: '', tracestate: '', ttlMs: 0, idempotencyKey: '', replyTo: '', inReplyTo: '' },
      payload: runFinished.codec.encode({ ...event, runId }),
    });
    await parts.redis.client('broker').xadd(key, '*', 'e', Buffer.from(envelope));
  }

  const pending = async (): Promise<number> => {
    const summary = await parts.redis.client('broker').xpending(key, 'results');
    return Number(summary[0]);
  };

  async function retries(): Promise<number> {
    const { body } = await metrics.expose();
    return Number(/sluice_results_bus_retries_total\{[^}]*kind="event"[^}]*\} (\d+)/.exec(body)?.[1] ?? 0);
  }

  async function lost(): Promise<number> {
    const { body } = await metrics.expose();
    return Number(/sluice_results_bus_lost_total\{[^}]*stream="run"[^}]*\} (\d+)/.exec(body)?.[1] ?? 0);
  }

  it('are acknowledged only when the handler has done its work', async () => {
    let finish: () => void = () => undefined;
    let began = false;
    read('a', () => {
      began = true;
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    await tell('run_1');
    await until(() => began);
    expect(await pending()).toBe(1);
    finish();
    await until(async () => (await pending()) === 0);
  });

  it('come again after a failure, and to one consumer of a group each', async () => {
    const seen: string[] = [];
    const handle = async ({ runId }: RunFinished): Promise<void> => {
      seen.push(runId);
      if (seen.filter((each) => each === runId).length === 1) throw new Error('not yet');
    };
    read('a', handle);
    read('b', handle);
    for (const run of ['run_1', 'run_2', 'run_3']) await tell(run);
    await until(() => seen.length === 6);
    await until(async () => (await pending()) === 0);
    expect(seen.toSorted()).toEqual(['run_1', 'run_1', 'run_2', 'run_2', 'run_3', 'run_3']);
  });

  it('that a dead consumer held are taken over', async () => {
    const client = parts.redis.client('broker');
    await tell('run_1');
    await client.xgroup('CREATE', key, 'results', '0');
    await client.xreadgroup('GROUP', 'results', 'dead', 'COUNT', 1, 'STREAMS', key, '>');
    const seen: string[] = [];
    read('alive', async ({ runId }) => void seen.push(runId));
    await until(() => seen.length === 1);
    await until(async () => (await pending()) === 0);
  });

  it('that fail too often become dead letters with a reason, hold up nobody, and can be sent again', async () => {
    const seen: string[] = [];
    let isMended = false;
    read('a', async ({ runId }) => {
      if (runId === 'run_bad' && !isMended) throw new Error('poison');
      seen.push(runId);
    });
    await tell('run_bad');
    await tell('run_good');
    const letters = new DeadLetters(parts.redis, key);
    await until(async () => (await letters.count()) === 1);
    await until(async () => (await pending()) === 0);
    expect(seen).toEqual(['run_good']);
    const [letter] = await parts.redis.client('broker').xrange(parts.redis.keys.deadLetters(key), '-', '+');
    expect(letter?.[1]).toContain('Error: poison');
    isMended = true;
    expect(await letters.redrive()).toBe(1);
    await until(() => seen.includes('run_bad'));
    expect(await letters.count()).toBe(0);
  });

  it('of a newer release stay pending, never become dead letters, and come to it as if for the first time', async () => {
    const newer = 'sluice.run.v1.SomethingNewer';
    read('a', async () => undefined);
    await tell('run_1', newer);
    await until(async () => (await retries()) > 4);
    expect(await new DeadLetters(parts.redis, key).count()).toBe(0);
    const seen: string[] = [];
    const fails = async ({ runId }: RunFinished): Promise<void> => {
      seen.push(runId);
      if (seen.length === 1) throw new Error('not yet');
    };
    read('b', fails, {}, () => undefined, newer);
    await until(() => seen.length === 2);
    await until(async () => (await pending()) === 0);
    expect(await new DeadLetters(parts.redis, key).count()).toBe(0);
  });

  it('S1: that were trimmed while pending are counted as lost, and a rebuild is asked for', async () => {
    const client = parts.redis.client('broker');
    await tell('run_1');
    await client.xgroup('CREATE', key, 'results', '0');
    await client.xreadgroup('GROUP', 'results', 'dead', 'COUNT', 1, 'STREAMS', key, '>');
    await client.xtrim(key, 'MAXLEN', 0);
    let rebuilds = 0;
    read(
      'a',
      async () => undefined,
      {},
      () => (rebuilds += 1),
    );
    await until(async () => (await lost()) === 1);
    expect(rebuilds).toBeGreaterThan(0);
  });

  it('S2: are trimmed up to what the slowest has handled and no further', async () => {
    const client = parts.redis.client('broker');
    for (const run of ['run_1', 'run_2', 'run_3']) await tell(run);
    const trimmer = new StreamTrimmer('run', parts);
    await trimmer.trim();
    expect(await client.xlen(key)).toBe(3);
    await client.xgroup('CREATE', key, 'results', '0');
    const read = await client.xreadgroup('GROUP', 'results', 'a', 'COUNT', 2, 'STREAMS', key, '>');
    expect(read).toHaveLength(1);
    const [first, second] = (await client.xrange(key, '-', '+')).map(([id]) => id);
    if (first === undefined || second === undefined) throw new Error('the entries are gone');
    await client.xack(key, 'results', first);
    await trimmer.trim();
    expect((await client.xrange(key, '-', '+'))[0]?.[0]).toBe(second);
  });

  it('S4, S5: are read again from the beginning after FLUSHALL and after DEL under a blocked reader', async () => {
    const seen: string[] = [];
    read('a', async ({ runId }) => void seen.push(runId));
    await tell('run_1');
    await until(() => seen.length === 1);
    await parts.redis.client('broker').flushall();
    await tell('run_2');
    await until(() => seen.includes('run_2'));
    await parts.redis.client('broker').del(key);
    await tell('run_3');
    await until(() => seen.includes('run_3'));
  });

  it('S9: are acknowledged also when Redis is full and refuses writes', async () => {
    const client = parts.redis.client('broker');
    const seen: string[] = [];
    let hold = true;
    read('a', async ({ runId }) => {
      await until(() => !hold);
      seen.push(runId);
    });
    await tell('run_1');
    await until(async () => (await pending()) === 1);
    await client.config('SET', 'maxmemory', '1');
    try {
      await expect(tell('run_2')).rejects.toThrowError(/OOM/);
      hold = false;
      await until(async () => (await pending()) === 0);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
    expect(seen).toEqual(['run_1']);
  });
});
