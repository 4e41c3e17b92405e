import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newId } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { DirectoryStore, openPageStore, PageStore, type PagePlace } from '#libs/result-store';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { FakeClock, RedisServer, testDataKeys, until } from '#libs/testing';
import { RedisPageCopies } from './redis-page-copies.js';

const logger = AppLogger.create({ service: 'gateway', instance: 'gateway-1', level: 'silent' });
const text = Buffer.from('a row that nobody else is to read');

let server: RedisServer;
let admin: Redis;
let directory: string;
let closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await RedisServer.start({ maxmemoryPolicy: 'allkeys-lru' });
  admin = new Redis(server.url, { maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  directory = await mkdtemp(join(tmpdir(), 'sluice-copies-'));
});
beforeEach(async () => void (await admin.flushall()));
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing) await close();
  closing = [];
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
  await rm(directory, { recursive: true });
});

/** The pages as one gateway reads them, far from the store and near to a Redis. */
async function gateway(cache: { url?: string } = { url: server.url }) {
  const redis = new RedisConnections(
    { prefix: 'test', broker: { url: server.url }, session: { url: server.url }, cache },
    logger,
  );
  closing.push(() => redis.close());
  const clock = new FakeClock();
  const metrics = new MetricsRegistry('gateway');
  const objects = new DirectoryStore(directory);
  const reads = vi.spyOn(objects, 'read');
  const warned = vi.fn();
  const copies = new RedisPageCopies(redis, clock, { warn: warned } as unknown as AppLogger, metrics);
  if (cache.url !== undefined) await redis.ready('cache', 5_000);
  const outcomes = async (): Promise<Record<string, number>> => {
    const found = (await metrics.expose()).body.matchAll(/page_copies_total\{.*?outcome="(\w+)".*?\} (\d+)/g);
    return Object.fromEntries(
      [...found].flatMap(([, name = '', count]) => (count === '0' ? [] : [[name, Number(count)]])),
    );
  };
  return { pages: new PageStore(objects, testDataKeys(), copies), reads, clock, outcomes, warned };
}

async function newPage(bytes: Uint8Array = text): Promise<{ place: PagePlace; checksum: Uint8Array }> {
  const place = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1, page: 0 };
  const { checksum } = await new PageStore(new DirectoryStore(directory), testDataKeys()).put(place, bytes);
  return { place, checksum };
}

const keys = (): Promise<string[]> => admin.keys('*');

describe('copies of pages in the cache Redis', () => {
  it('spare the store a second reading, whichever gateway it is by, and go after ten minutes', async () => {
    const [first, second] = [await gateway(), await gateway()];
    const { place, checksum } = await newPage();
    expect(await first.pages.get(place, checksum, true)).toEqual(text);
    await until(async () => (await keys()).length === 1);
    expect(await second.pages.get(place, checksum, true)).toEqual(text);
    expect([first.reads.mock.calls.length, second.reads.mock.calls.length]).toEqual([1, 0]);
    expect([await first.outcomes(), await second.outcomes()]).toEqual([{ miss: 1 }, { hit: 1 }]);
    const [key = ''] = await keys();
    const seconds = await admin.ttl(key);
    expect(seconds > 590 && seconds <= 600).toBe(true);
  });

  it('are of an object store alone: a directory is as near as they are', async () => {
    const copies = { read: vi.fn(), keep: vi.fn() };
    const pages = openPageStore({ kind: 'directory', path: directory }, testDataKeys(), copies);
    const { place, checksum } = await newPage();
    expect(await pages.get(place, checksum, true)).toEqual(text);
    expect([copies.read, copies.keep].flatMap(({ mock }) => mock.calls)).toEqual([]);
  });

  it('are sealed as the pages are', async () => {
    const { pages } = await gateway();
    const { place, checksum } = await newPage();
    await pages.get(place, checksum, true);
    await until(async () => (await keys()).length === 1);
    const [key = ''] = await keys();
    const copy = await admin.getBuffer(key);
    expect(copy?.byteLength).toBeGreaterThan(text.byteLength);
    expect(copy?.includes(text.subarray(0, 10))).toBe(false);
  });

  it('may vanish at any moment', async () => {
    const { pages, reads } = await gateway();
    const { place, checksum } = await newPage();
    await pages.get(place, checksum, true);
    await until(async () => (await keys()).length === 1);
    await admin.flushall();
    expect(await pages.get(place, checksum, true)).toEqual(text);
    expect(reads).toHaveBeenCalledTimes(2);
  });

  it('that are torn, or of another page, are passed over and made anew, and never told as a corrupt page', async () => {
    const { pages } = await gateway();
    const [one, other] = [await newPage(), await newPage(Buffer.from('another row'))];
    for (const { place, checksum } of [one, other]) await pages.get(place, checksum, true);
    await until(async () => (await keys()).length === 2);
    const [key = '', ofOther = ''] = [one, other].map(({ place }) => `test:{page:${place.runId}}:1:0`);
    const whole = await admin.getBuffer(key);
    for (const wrong of [whole?.subarray(0, 20), await admin.getBuffer(ofOther), Buffer.alloc(0)]) {
      await admin.set(key, wrong ?? '');
      expect(await pages.get(one.place, one.checksum, true)).toEqual(text);
      await until(async () => whole && (await admin.getBuffer(key))?.equals(whole));
    }
  });

  it('are waited for once by who asks a Redis that says nothing, and not by those who come in the next two seconds', async () => {
    const { pages, clock, outcomes } = await gateway();
    const { place, checksum } = await newPage();
    const asked = vi.spyOn(Redis.prototype, 'getBuffer');
    server.pause();
    try {
      for (let count = 0; count < 5; count += 1) expect(await pages.get(place, checksum, true)).toEqual(text);
      expect(await outcomes()).toEqual({ late: 1, passed: 4 });
      expect(asked).toHaveBeenCalledTimes(1);
      clock.advance(2_000);
      expect(await pages.get(place, checksum, true)).toEqual(text);
      expect(asked).toHaveBeenCalledTimes(2);
    } finally {
      server.resume();
    }
  });

  it('are asked for eight at a time, those that are late still counted: all others go to the store at once', async () => {
    const { pages, clock, outcomes } = await gateway();
    const all = await Promise.all(Array.from({ length: 50 }, () => newPage()));
    const asked = vi.spyOn(Redis.prototype, 'getBuffer');
    const readAll = (): Promise<Uint8Array[]> =>
      Promise.all(all.map(({ place, checksum }) => pages.get(place, checksum, true)));
    server.pause();
    try {
      expect(await readAll()).toEqual(all.map(() => text));
      expect([asked.mock.calls.length, await outcomes()]).toEqual([8, { late: 8, passed: 42 }]);
      clock.advance(2_000);
      await readAll();
      expect(asked).toHaveBeenCalledTimes(8);
    } finally {
      server.resume();
    }
  });

  it('that its user may not have are said to be refused, once for each rest', async () => {
    const { pages, clock, outcomes, warned } = await gateway();
    const { place, checksum } = await newPage();
    await admin.call('ACL', 'SETUSER', 'default', '-getex', '-get');
    try {
      for (let count = 0; count < 3; count += 1) expect(await pages.get(place, checksum, true)).toEqual(text);
      expect([await outcomes(), warned.mock.calls.length]).toEqual([{ refused: 1, passed: 2 }, 1]);
      expect(String(warned.mock.calls[0]?.[0].err)).toContain('NOPERM');
      clock.advance(2_000);
      await pages.get(place, checksum, true);
      expect(warned).toHaveBeenCalledTimes(2);
    } finally {
      await admin.call('ACL', 'SETUSER', 'default', '+@all');
    }
  });

  it('are done without where the Redis is gone, and where there is none', async () => {
    const [losing, without] = [await gateway(), await gateway({})];
    const { place, checksum } = await newPage();
    // Before and after the client has noticed.
    const killed = server.kill();
    try {
      expect(await losing.pages.get(place, checksum, true)).toEqual(text);
      await killed;
      expect(await losing.pages.get(place, checksum, true)).toEqual(text);
      expect(await without.pages.get(place, checksum, true)).toEqual(text);
      expect([await losing.outcomes(), await without.outcomes()]).toEqual([{ passed: 2 }, {}]);
    } finally {
      await killed;
      await server.launch();
      await until(() => admin.ping());
    }
  });

  it('are not made of what goes by once, of what is large, or of more than a slow Redis takes', async () => {
    const { pages, outcomes } = await gateway();
    const set = vi.spyOn(Redis.prototype, 'set');
    const once = await newPage();
    await pages.get(once.place, once.checksum);
    expect(await outcomes()).toEqual({});
    const large = await newPage(randomBytes(3 * 1024 * 1024));
    await pages.get(large.place, large.checksum, true);
    expect(set).not.toHaveBeenCalled();
    const many = await Promise.all(Array.from({ length: 6 }, () => newPage(randomBytes(1.5 * 1024 * 1024))));
    set.mockImplementation(() => new Promise(() => undefined) as never);
    for (const { place, checksum } of many) await pages.get(place, checksum, true);
    expect(set).toHaveBeenCalledTimes(2);
  });
});
