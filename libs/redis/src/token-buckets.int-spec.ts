import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, until, type RedisServer } from '#libs/testing';
import { RedisConnections } from './redis-connections.js';
import { TokenBuckets } from './token-buckets.js';

describe('a token bucket', () => {
  let server: RedisServer;
  let redis: RedisConnections;
  let buckets: TokenBuckets;

  beforeAll(async () => {
    server = await startRedis();
    const role = { url: server.url };
    const ignore = (): void => undefined;
    redis = new RedisConnections(
      { prefix: 'test', broker: role, session: role, cache: {} },
      { info: ignore, warn: ignore },
    );
    buckets = new TokenBuckets(redis);
    await redis.ready('broker', 5_000);
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  it('gives exactly its tokens to who come at once, and then one for each time that it takes', async () => {
    const size = { perSecond: 10, burst: 50 };
    const waits = await Promise.all(Array.from({ length: 200 }, () => buckets.take('w/u', size)));
    const given = waits.filter((seconds) => seconds === 0).length;
    expect(given).toBeGreaterThanOrEqual(50);
    expect(given).toBeLessThanOrEqual(55);
    const wait = await buckets.take('w/u', size);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(0.1);
    await until(async () => (await buckets.take('w/u', size)) === 0);
    expect(await buckets.take('w/u', size)).toBeGreaterThan(0);
  });

  it('is each subject’s own, and goes once it would be full', async () => {
    const size = { perSecond: 20, burst: 1 };
    expect([await buckets.take('a', size), await buckets.take('b', size)]).toEqual([0, 0]);
    expect(await buckets.take('a', size)).toBeGreaterThan(0);
    await until(async () => (await redis.client('broker').keys('test:{rate:a}:*')).length === 0);
    expect(await buckets.take('a', size)).toBe(0);
  });

  it('takes back what is not needed, up to all that it holds', async () => {
    const size = { perSecond: 0.01, burst: 5 };
    expect(await buckets.take('back', size, 5)).toBe(0);
    expect(await buckets.take('back', size)).toBeGreaterThan(0);
    await buckets.take('back', size, -2);
    expect(await buckets.take('back', size, 2)).toBe(0);
    expect(await buckets.take('back', size)).toBeGreaterThan(0);
    await buckets.take('back', size, -50);
    expect(await buckets.take('back', size, 6)).toBeGreaterThan(0);
    expect(await buckets.take('back', size, 5)).toBe(0);
  });

  it('is at most empty once it is made faster: nobody waits for as long as the slower one would have taken', async () => {
    expect(await buckets.take('slow', { perSecond: 0.01, burst: 1 })).toBe(0);
    const wait = await buckets.take('slow', { perSecond: 10, burst: 50 });
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(0.1);
  });

  it('holds nobody off where Redis does not answer', async () => {
    const away = new RedisConnections(
      { prefix: 'test', broker: { url: 'redis://127.0.0.1:1' }, session: {}, cache: {} },
      { info: () => undefined, warn: () => undefined },
    );
    expect(await new TokenBuckets(away).take('a', { perSecond: 1, burst: 1 })).toBe(0);
    await away.close();
  });
});
