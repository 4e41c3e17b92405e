import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createClient } from 'graphql-sse';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runRequests } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
let redis: Redis;
/** What there is where nobody is; what is made once, for whoever comes first, has been made. */
let before: Awaited<ReturnType<typeof inRedis>>;
beforeAll(async () => {
  suite = await GatewaySuite.start();
  redis = new Redis(suite.redisUrl);
  const ended = suite.newRun();
  ended.move('SUCCEEDED');
  const [now, end] = [0, 1].map((sequence) => ({ xid: '1', sequence }));
  // One has ended since whoever subscribes has asked for the place of now.
  suite.services.on(runRequests.listFinished, ({ after }) => {
    const finished = after?.sequence === 0 ? [{ position: end, execution: ended.execution }] : [];
    return { finished, position: after ? end : now, skipped: false };
  });
  for (const [field, transport] of ways) {
    const all = await subscribers(field, transport, callers);
    await Promise.all(all.map((each) => each.leave()));
  }
  await untilHeld(nothing);
  before = await inRedis();
});
afterAll(async () => {
  redis.disconnect();
  await suite.stop();
});

/** What the clients of both transports can do. */
interface Client {
  subscribe(asked: { query: string; variables: Record<string, unknown> }, sink: Sink): () => void;
  dispose(): void | Promise<void>;
}

interface Sink {
  next(result: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

const transports: Readonly<Record<string, (authorization: string) => Client>> = {
  'a WebSocket': (authorization) => suite.gateway.connect(authorization),
  'server-sent events': (authorization) =>
    createClient({ url: `${suite.gateway.url}/stream`, headers: { authorization }, retryAttempts: 0 }),
};

const documents = {
  executionEvents: 'subscription ($id: ID!) { executionEvents(id: $id, includeRows: true) { cursor } }',
  executionsFinished: 'subscription { executionsFinished { cursor execution { state } } }',
} as const;

type Field = keyof typeof documents;

const fields: readonly Field[] = ['executionEvents', 'executionsFinished'];
const ways = Object.keys(transports).flatMap((transport) => fields.map((field) => [field, transport] as const));

/** Of one address only so many may have yet to sign in. */
const portion = 10;
/** One credential for so many of them would hide what each leaves behind. */
const callers = 9;

interface Subscriber {
  readonly told: unknown[];
  leave(): Promise<void>;
}

/**
 * So many subscribers, each on a connection of its own, who have all been told the first event; with credentials that nobody
 * had before. Every other one unsubscribes before it goes.
 */
async function subscribers(field: Field, transport: string, count: number): Promise<Subscriber[]> {
  const { id } = suite.newRun().execution;
  const newCaller = async () => `Bearer ${await suite.tokenFor({ userId: newId('user') })}`;
  const authorizations = await Promise.all(Array.from({ length: callers }, newCaller));
  const all: Subscriber[] = [];
  while (all.length < count) {
    const client = transports[transport]?.(authorizations[all.length % callers] ?? '');
    if (client) all.push(subscribe(client, documents[field], { id }, all.length % 2 === 0));
    if (all.length % portion === 0 || all.length === count) await until(() => all.every(({ told }) => told.length > 0));
  }
  return all;
}

function subscribe(client: Client, query: string, variables: { id: string }, unsubscribes: boolean): Subscriber {
  const told: unknown[] = [];
  const next = (result: unknown): void => void told.push(result);
  const end = client.subscribe({ query, variables }, { next, error: next, complete: () => undefined });
  const leave = async (): Promise<void> => {
    if (unsubscribes) end();
    await client.dispose();
  };
  return { told, leave };
}

const gauges = ['sockets', 'subscriptions', 'streams', 'watches', 'ears'] as const;

async function held(): Promise<Record<string, number>> {
  const values = await Promise.all(gauges.map((name) => suite.gateway.metric(name)));
  const connections = await suite.gateway.connections();
  return { connections, ...Object.fromEntries(gauges.map((name, index) => [name, values[index] ?? NaN])) };
}

const patience = { timeout: 20_000, interval: 20 };

const nothing = { connections: 0, sockets: 0, subscriptions: 0, streams: 0, watches: 0, ears: 0 };

const untilHeld = (wanted: Record<string, number>) =>
  vi.waitFor(async () => expect(await held()).toEqual(wanted), patience);

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  // The flag adds it to every new context.
  return runInNewContext('gc') as () => void;
}

const collectGarbage = garbageCollector();

/** The keys and the clients of Redis, which is all of its roles here. */
async function inRedis() {
  const [keys, clients] = await Promise.all([redis.keys('*'), redis.client('LIST') as Promise<string>]);
  return { keys: keys.sort(), clients: clients.trim().split('\n').length };
}

/** Bytes of the heap, once Redis is as it was. */
async function heapAtRest(): Promise<number> {
  await vi.waitFor(async () => expect(await inRedis()).toEqual(before), patience);
  // What was asked of the fake services is of this test alone.
  suite.forget();
  collectGarbage();
  // What clients of HTTP hold on to weakly is let go of behind a collection.
  await setImmediate();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe.each(ways)('Subscribers to %s over %s', (field, transport) => {
  it('hold one stream and one ear for each of their credentials, and nothing, no connection either, when the last of them goes', async () => {
    const all = await subscribers(field, transport, 21);
    const ears = field === 'executionEvents' ? { watches: callers } : { ears: callers };
    await untilHeld({ ...nothing, connections: 21, sockets: 21, subscriptions: 21, streams: callers, ...ears });
    await Promise.all(all.map((each) => each.leave()));
    await untilHeld(nothing);
    expect(all.map(({ told }) => told.length)).toEqual(all.map(() => 1));
  });

  it('leave Redis and the heap as they found them, however many there were', async () => {
    const cycle = async (): Promise<void> => {
      const all = await subscribers(field, transport, 90);
      await Promise.all(all.map((each) => each.leave()));
      await untilHeld(nothing);
    };
    // What is made once, for whoever comes first, is no leak; what the engine makes for itself comes in some windows
    // only, a leak grows in each of them.
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await cycle();
    const growths: number[] = [];
    for (let window = 0; window < 3; window += 1) {
      const heapBefore = await heapAtRest();
      for (let count = 0; count < 5; count += 1) await cycle();
      growths.push((await heapAtRest()) - heapBefore);
    }
    // Ninety times five that each left a single kilobyte would be seen.
    expect(Math.min(...growths)).toBeLessThan(450 * 1_024);
  }, 120_000);
});
