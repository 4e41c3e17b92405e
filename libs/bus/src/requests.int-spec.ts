import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workerRequests, type AnyRequestContract } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, TcpProxy, until, type RedisServer } from '#libs/testing';
import type { ReaderParts } from './blocking-reader.js';
import { BusClient } from './bus-client.js';
import { BusMetrics } from './bus-metrics.js';
import { RequestDispatcher } from './dispatcher.js';
import { serviceContext } from './message-context.js';
import { RequestReader } from './request-reader.js';

const stop = { runId: 'run_1', fence: 1, timedOut: false };

describe('requests', () => {
  let redis: RedisServer;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await redis.stop();
  });

  function partsOn(port: number): ReaderParts {
    const logger = AppLogger.create({ service: 'worker', instance: 'worker', level: 'silent' });
    const role = { url: `redis://127.0.0.1:${port}` };
    const connections = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, logger);
    closing.push(() => connections.close());
    return { redis: connections, logger, metrics: new BusMetrics(new MetricsRegistry('worker')) };
  }

  function serve(
    consumer: string,
    handle: () => Promise<unknown>,
    {
      port = redis.port,
      concurrency = 8,
      contracts = [workerRequests.stopRun],
    }: { port?: number; concurrency?: number; contracts?: readonly AnyRequestContract[] } = {},
  ): RequestReader {
    const parts = partsOn(port);
    const handlers = new Map(contracts.map(({ pattern }) => [pattern, handle])) as never;
    const dispatcher = new RequestDispatcher(contracts, handlers, parts);
    const reader = new RequestReader(
      parts.redis.keys.requests('worker'),
      'worker',
      consumer,
      dispatcher,
      parts,
      concurrency,
    );
    reader.start();
    closing.unshift(() => reader.drain());
    return reader;
  }

  function connect(port = redis.port): BusClient {
    const client = new BusClient(`orchestrator-${Math.random()}`, partsOn(port));
    client.start();
    closing.unshift(() => client.stop());
    return client;
  }

  const ask = (client: BusClient, options: { ttlMs?: number; idempotencyKey?: string } = {}) =>
    client.request(workerRequests.stopRun, stop, { context: serviceContext('orchestrator', 'wsp_1'), ...options });

  it.each([
    [true, { code: 'bus.unavailable', retryable: true }],
    [false, { code: 'bus.unknown_outcome', retryable: false }],
  ])(
    'whose outcome its service leaves open may be asked again where it is harmless (%s)',
    async (isIdempotent, told) => {
      const contract = { ...workerRequests.stopRun, isIdempotent };
      const lost = (): Promise<never> =>
        Promise.reject(new AppError('bus.unknown_outcome', 'It may have been done or not.'));
      serve('worker-1', lost, { contracts: [contract] });
      const request = connect().request(contract, stop, { context: serviceContext('worker', '', 'r1') });
      await expect(request).rejects.toMatchObject(told);
    },
  );

  it('are handled at most once, also while several instances read', async () => {
    let handled = 0;
    const handle = async () => {
      handled += 1;
      return { stopping: true };
    };
    serve('a', handle);
    serve('b', handle);
    const client = connect();
    await Promise.all(Array.from({ length: 500 }, () => ask(client)));
    expect(handled).toBe(500);
    const left = partsOn(redis.port).redis;
    expect(await left.client('broker').xlen(left.keys.requests('worker'))).toBe(0);
  });

  it('that nobody waits for any more are dropped, by the clock of Redis', async () => {
    const client = connect();
    await expect(ask(client, { ttlMs: 50 })).rejects.toMatchObject({ code: 'bus.timeout' });
    let handled = 0;
    serve('late', async () => {
      handled += 1;
      return { stopping: true };
    });
    expect(await ask(client)).toEqual({ stopping: true });
    expect(handled).toBe(1);
  });

  it('are never more in one process than its handlers can run', async () => {
    let running = 0;
    let most = 0;
    serve(
      'a',
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return { stopping: true };
      },
      { concurrency: 3 },
    );
    const client = connect();
    await Promise.all(Array.from({ length: 100 }, () => ask(client)));
    expect(most).toBeLessThanOrEqual(3);
  });

  it('that nobody here understands are tried again while their ttl lasts', async () => {
    const parts = partsOn(redis.port);
    const older = new RequestDispatcher([], new Map(), parts);
    const reader = new RequestReader(parts.redis.keys.requests('worker'), 'worker', 'older', older, parts, 4);
    reader.start();
    const client = connect();
    const answer = ask(client, { ttlMs: 15_000 });
    await until(
      async () => (await parts.redis.client('broker').xinfo('GROUPS', parts.redis.keys.requests('worker'))) !== null,
    );
    serve('newer', async () => ({ stopping: true }));
    await reader.drain();
    expect(await answer).toEqual({ stopping: true });
  });

  it('find their way again when Redis was stopped for longer than any read may take', async () => {
    serve('a', async () => ({ stopping: true }));
    const client = connect();
    await ask(client);
    redis.pause();
    await expect(ask(client, { ttlMs: 300 })).rejects.toMatchObject({ code: 'bus.timeout' });
    redis.resume();
    await until(() => ask(client, { ttlMs: 1_000 }), { what: 'an answer after SIGCONT' });
  });

  it('S6: get through again behind a connection that went dead without a word', { timeout: 60_000 }, async () => {
    const proxy = await TcpProxy.start(redis.port);
    closing.push(() => proxy.stop());
    serve('a', async () => ({ stopping: true }), { port: proxy.port });
    const client = connect(proxy.port);
    await ask(client);
    proxy.swallow();
    await expect(ask(client, { ttlMs: 300 })).rejects.toMatchObject({ code: 'bus.timeout' });
    proxy.restore();
    await until(() => ask(client, { ttlMs: 1_000, idempotencyKey: 'k' }), { what: 'an answer', timeoutMs: 25_000 });
  });

  it('end at once, and retryable, when Redis is full', async () => {
    const client = connect();
    const { redis: connections } = partsOn(redis.port);
    await connections.client('broker').config('SET', 'maxmemory', '1');
    await expect(ask(client)).rejects.toMatchObject({ code: 'bus.unavailable', retryable: true });
  });

  it('leave no replies behind that were read', async () => {
    serve('a', async () => ({ stopping: true }));
    const client = connect();
    await Promise.all(Array.from({ length: 500 }, () => ask(client)));
    const { redis: connections } = partsOn(redis.port);
    // Some wait until there are enough of them for one command.
    await until(async () => (await connections.client('broker').xlen(client.inbox.key)) < 100, { timeoutMs: 5_000 });
  });

  it('S12: leave no consumer behind when their reader drains', async () => {
    const reader = serve('a', async () => ({ stopping: true }));
    await ask(connect());
    await reader.drain();
    const { redis: connections } = partsOn(redis.port);
    const consumers = await connections
      .client('broker')
      .xinfo('CONSUMERS', connections.keys.requests('worker'), 'worker');
    expect(consumers).toEqual([]);
  });
});
