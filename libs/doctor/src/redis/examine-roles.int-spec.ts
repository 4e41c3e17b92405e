import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { environmentWith } from '#libs/config';
import type { HealthReport } from '#libs/contracts';
import { RedisConnections, type RedisRole } from '#libs/redis';
import { freePort, selfSigned, startRedis, until, type RedisServer, type RedisServerOptions } from '#libs/testing';
import { thresholds, type Thresholds } from '../thresholds.js';
import { examineRedis } from './examine-redis.js';
import { examineRoles } from './examine-roles.js';

const silent = { info: () => undefined, warn: () => undefined };
const password = 'a-password-that-is-long-enough';
/** As deploy/redis has it, for a server that a test hurts in one respect. */
const sound: RedisServerOptions = {
  appendonly: true,
  maxmemory: '200mb',
  args: ['--latency-monitor-threshold', '50', '--enable-debug-command', 'yes'],
};

/** The password comes last, as whoever starts it asks it without one whether it is there. */
async function startSound(options: RedisServerOptions = {}): Promise<[RedisServer, Redis]> {
  const server = await startRedis({ ...sound, ...options });
  const client = new Redis(server.url);
  await client.config('SET', 'requirepass', password);
  client.disconnect();
  return [server, new Redis(server.url, { password })];
}

let broker: RedisServer;
let admin: Redis;

beforeAll(async () => {
  [broker, admin] = await startSound();
});
afterAll(async () => {
  admin.disconnect();
  await broker.stop();
});
beforeEach(async () => {
  await admin.flushall();
  await admin.config('RESETSTAT');
  await admin.call('LATENCY', 'RESET');
  await admin.call('SLOWLOG', 'RESET');
});

interface Examined {
  readonly urls?: Partial<Record<RedisRole, string>>;
  readonly user?: { username?: string; password?: string };
  readonly limits?: Partial<Thresholds>;
}

async function examine({ urls = {}, user = { password }, limits = {} }: Examined = {}): Promise<HealthReport> {
  const of = (role: RedisRole) => (urls[role] === undefined ? {} : { url: urls[role], ...user });
  const settings = { broker: { url: urls.broker ?? broker.url, ...user }, session: of('session'), cache: of('cache') };
  const redis = new RedisConnections({ prefix: 'test', ...settings }, silent);
  try {
    return await examineRoles(redis, { ...thresholds, ...limits });
  } finally {
    await redis.close();
  }
}

/** What was found by a check, in one line each. */
function foundBy({ findings }: HealthReport, check: string): string[] {
  return findings.filter((finding) => finding.check === check).map(({ severity, what }) => `${severity} ${what}`);
}

async function withSetting(name: string, value: string, work: () => Promise<void>): Promise<void> {
  const [, before = ''] = (await admin.config('GET', name)) as string[];
  await admin.config('SET', name, value);
  try {
    await work();
  } finally {
    await admin.config('SET', name, before);
  }
}

describe('the doctor of Redis', () => {
  it('finds nothing serious in a sound server, and checks all of it', async () => {
    const { findings, notChecked, measurements } = await examine();
    expect(findings.filter(({ severity }) => severity !== 'NOTICE')).toEqual([]);
    expect(notChecked).toEqual([]);
    expect(measurements.find(({ name }) => name === 'memory')).toMatchObject({
      subject: 'Redis broker',
      unit: 'bytes',
    });
  });

  it.each([
    [
      'redis.eviction-policy',
      'maxmemory-policy',
      'allkeys-lru',
      'CRITICAL The Redis of the broker role has maxmemory-policy allkeys-lru',
    ],
    ['redis.persistence', 'appendonly', 'no', 'CRITICAL It keeps no append-only file'],
    ['redis.appendfsync', 'appendfsync', 'no', 'WARNING appendfsync is no.'],
    ['redis.appendfsync', 'appendfsync', 'always', 'NOTICE appendfsync is always.'],
    ['redis.maxmemory', 'maxmemory', '0', 'WARNING maxmemory is not set.'],
    ['redis.maxmemory', 'maxmemory', '1000000', 'CRITICAL '],
    ['redis.latency-monitor', 'latency-monitor-threshold', '0', 'NOTICE latency-monitor-threshold is 0.'],
    ['redis.exposure', 'bind', '*', 'NOTICE It listens on every address (bind *).'],
    ['redis.connections', 'maxclients', '2', 'CRITICAL 2 of 2 connections are taken.'],
  ])('finds by %s that %s is %s', async (check, name, value, what) => {
    await withSetting(name, value, async () => {
      const found = foundBy(await examine(), check);
      expect(found).toEqual([expect.stringContaining(what)]);
    });
  });

  it('finds a server that answers without a password, and that strangers reach it', async () => {
    const open = await startRedis({ args: ['--bind', '0.0.0.0', '--protected-mode', 'no'] });
    try {
      const report = await examine({ urls: { broker: open.url }, user: {} });
      // On this machine alone a password is worth little; open to all addresses it is worth everything.
      expect(foundBy(report, 'redis.password')).toEqual(['NOTICE It answers without a password.']);
      expect(foundBy(report, 'redis.exposure')).toEqual(['CRITICAL It listens on every address (bind 0.0.0.0).']);
    } finally {
      await open.stop();
    }
  });

  it('finds a password that is short', async () => {
    await admin.call('ACL', 'SETUSER', 'short', 'on', '>0123', '~*', '&*', '+@all');
    const report = await examine({ user: { username: 'short', password: '0123' } });
    expect(foundBy(report, 'redis.password')).toEqual(['WARNING The password has 4 characters.']);
    await admin.call('ACL', 'DELUSER', 'short');
  });

  it('says what its user may not see, and checks the rest', async () => {
    await admin.call('ACL', 'SETUSER', 'managed', 'on', `>${password}`, '~*', '&*', '+@all', '-config', '-slowlog');
    const { findings, notChecked } = await examine({ user: { username: 'managed', password } });
    expect(findings.filter(({ severity }) => severity !== 'NOTICE')).toEqual([]);
    expect(notChecked.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['redis.exposure', 'redis.appendfsync', 'redis.latency-monitor', 'redis.slowlog']),
    );
    expect(notChecked.every(({ reason }) => reason.startsWith('NOPERM'))).toBe(true);
    await admin.call('ACL', 'DELUSER', 'managed');
  });

  it('finds spikes of latency and slow commands, and names no argument of theirs', async () => {
    await admin.call('DEBUG', 'SLEEP', '0.15');
    const report = await examine();
    expect(foundBy(report, 'redis.slowlog')).toEqual([expect.stringMatching(/^WARNING DEBUG took 1\d\d ms\.$/)]);
    expect(foundBy(report, 'redis.latency')).toEqual([
      expect.stringMatching(/^WARNING A spike of 1\d\d ms by command/),
    ]);
    expect(JSON.stringify(report)).not.toContain('SLEEP');
  });

  it('finds a fork that takes long, and memory that is scattered', async () => {
    await admin.call('BGREWRITEAOF');
    await until(async () => (await admin.info('persistence')).includes('aof_rewrite_in_progress:0'));
    const report = await examine({ limits: { forkMsMax: 0, memoryBytesMin: 0, fragmentationMax: 1 } });
    expect(foundBy(report, 'redis.fork')).toEqual([expect.stringMatching(/^WARNING Its last fork took/)]);
    expect(foundBy(report, 'redis.fragmentation')).toEqual([expect.stringMatching(/^WARNING It takes .* times/)]);
  });

  it('finds connections that were refused', async () => {
    await withSetting('maxclients', '1', async () => {
      const late = new Redis(broker.url, { password, retryStrategy: () => null, lazyConnect: true });
      late.on('error', () => undefined);
      await late.connect().catch(() => undefined);
      late.disconnect();
    });
    expect(foundBy(await examine(), 'redis.connections')).toEqual([
      expect.stringMatching(/^WARNING \d+ connections were refused/),
    ]);
  });

  it('finds keys that are large, and tells the memory of each family by a sample', async () => {
    await admin.set('test:{ws:wsp_1}:rev', 'x');
    await admin.set('test:{ws:wsp_2}:rev', 'x'.repeat(2_000_000));
    const report = await examine();
    expect(foundBy(report, 'redis.large-keys')).toEqual([expect.stringContaining('A key of test:{ws:*}:rev takes 2')]);
    const families = report.measurements.filter(({ name }) => name.startsWith('memory of '));
    expect(families).toEqual([expect.objectContaining({ name: 'memory of test:{ws:*}:rev', unit: 'bytes' })]);
  });

  it('finds that a server cannot be reached, and says why', async () => {
    const report = await examine({ urls: { broker: 'redis://127.0.0.1:1' } });
    expect(foundBy(report, 'redis.reachable')).toEqual([
      'CRITICAL It does not answer: connect ECONNREFUSED 127.0.0.1:1',
    ]);
  });

  it.each([
    ['a Cluster', 'redis+cluster://127.0.0.1:1', 'none of its nodes can be reached'],
    [
      'sentinels',
      'redis+sentinel://127.0.0.1:1/mymaster',
      'none of the sentinels can be reached, or knows the primary',
    ],
  ])('finds that %s cannot be reached, and does not wait for it', async (_what, url, why) => {
    expect(foundBy(await examine({ urls: { broker: url } }), 'redis.reachable')).toEqual([
      `CRITICAL It does not answer: ${why}`,
    ]);
  });

  it('finds that a Cluster does not let it in', async () => {
    const found = foundBy(
      await examine({ urls: { broker: broker.url.replace('redis:', 'redis+cluster:') }, user: {} }),
      'redis.reachable',
    );
    expect(found).toEqual([expect.stringMatching(/^CRITICAL It answers, and does not let us in: NOAUTH/)]);
  });

  it.each([
    ['no password', {}, 'NOAUTH'],
    ['a wrong password', { username: 'default', password: 'another' }, 'WRONGPASS'],
  ])('tells a server that does not let it in by %s from one that is away', async (_what, user, code) => {
    const { findings } = await examine({ user });
    const [found] = findings.filter(({ check }) => check === 'redis.reachable');
    expect(found?.what).toMatch(new RegExp(`^It answers, and does not let us in: ${code}`));
    expect(found?.mend).toMatch(/^Set SLUICE_REDIS_BROKER_USERNAME and SLUICE_REDIS_BROKER_PASSWORD/);
  });

  it('finds a cache that drops what is asked for again, and blames none for being full or for what was never there', async () => {
    const small: RedisServerOptions = { appendonly: false, maxmemory: '4mb', maxmemoryPolicy: 'allkeys-lru' };
    const [cache, client] = await startSound(small);
    const found = async (): Promise<string[]> => {
      const report = await examine({ urls: { cache: cache.url }, limits: { lookupsMin: 10 } });
      return ['redis.hit-ratio', 'redis.maxmemory'].flatMap((check) => foundBy(report, check));
    };
    const fill = async (count: number): Promise<void> => {
      for (let key = 0; key < count; key += 1) await client.set(`${count} ${key}`, 'x'.repeat(100_000));
    };
    try {
      for (let looks = 0; looks < 200; looks += 1) await client.get('nothing');
      await fill(60);
      expect(await client.info('stats')).toMatch(/evicted_keys:[1-9]/);
      expect(await found()).toEqual([]);
      await fill(200);
      expect(await found()).toEqual(['WARNING 0 % of the lookups were answered.']);
    } finally {
      client.disconnect();
      await cache.stop();
    }
  });

  it('finds a cache that drops nothing, or shares the server of the broker', async () => {
    const [cache, client] = await startSound({ appendonly: false });
    try {
      const urls = { cache: cache.url, session: broker.url };
      const report = await examine({ urls, limits: { sharedOperationsMax: 0 } });
      expect(foundBy(report, 'redis.eviction-policy')).toEqual([
        expect.stringMatching(/^WARNING .* cache role .* noeviction/),
      ]);
      expect(foundBy(report, 'redis.shared')).toEqual([expect.stringContaining('WARNING broker and session share')]);
      const shared = await examine({ urls: { cache: broker.url } });
      expect(foundBy(shared, 'redis.shared')).toEqual(['CRITICAL broker and cache share one server.']);
    } finally {
      client.disconnect();
      await cache.stop();
    }
  });

  it('finds keys that a broker has dropped', async () => {
    const [small, client] = await startSound({ maxmemory: '3mb', maxmemoryPolicy: 'allkeys-lru' });
    try {
      for (let key = 0; key < 60; key += 1) await client.set(`k${key}`, 'x'.repeat(100_000));
      const report = await examine({ urls: { broker: small.url } });
      expect(foundBy(report, 'redis.evictions')).toEqual([expect.stringMatching(/^CRITICAL \d+ keys were dropped/)]);
    } finally {
      client.disconnect();
      await small.stop();
    }
  });

  it('finds a replica in place of a master, and a master that does not wait for its replica', async () => {
    const [replica, client] = await startSound();
    try {
      await client.config('SET', 'masterauth', password);
      await client.replicaof('127.0.0.1', broker.port);
      await until(async () => (await admin.info('replication')).includes('state=online'));
      const report = await examine({ limits: { replicaLagSeconds: -1 } });
      expect(foundBy(report, 'redis.replication')).toEqual([
        expect.stringMatching(/^WARNING The replica 127\.0\.0\.1:\d+ is \d+ s and \d+ bytes behind/),
        'WARNING min-replicas-to-write is 0.',
      ]);
      const ofReplica = await examine({ urls: { broker: replica.url } });
      expect(foundBy(ofReplica, 'redis.replication')).toEqual([expect.stringMatching(/^CRITICAL It is a replica/)]);
    } finally {
      client.disconnect();
      await replica.stop();
    }
  });
});

describe('the doctor of Redis by TLS', () => {
  it('finds a certificate that expires, and none that lasts', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
    const port = await freePort();
    const client = new Redis({ host: 'localhost', port, lazyConnect: true, tls: { rejectUnauthorized: false } });
    const found = async (days: number): Promise<string[]> => {
      const { certificate, privateKey } = await selfSigned(days);
      await Promise.all([
        writeFile(join(directory, 'cert.pem'), certificate),
        writeFile(join(directory, 'key.pem'), privateKey),
      ]);
      const files = ['--tls-cert-file', join(directory, 'cert.pem'), '--tls-key-file', join(directory, 'key.pem')];
      const server = await startRedis({ args: [...files, '--tls-port', `${port}`, '--tls-auth-clients', 'no'] });
      try {
        await client.connect();
        return foundBy(await examineRedis(client, 'broker', thresholds), 'redis.certificate');
      } finally {
        client.disconnect();
        await server.stop();
      }
    };
    expect(await found(5.5)).toEqual(['CRITICAL Its certificate expires in 5 days.']);
    expect(await found(20.5)).toEqual(['WARNING Its certificate expires in 20 days.']);
    expect(await found(90)).toEqual([]);
    await rm(directory, { recursive: true });
  });
});

describe('the doctor of the bus', () => {
  const events = 'test:{run}:event:v1';

  it('finds dead letters, and says how they are sent again', async () => {
    await admin.xadd(`${events}:dead`, '*', 'e', 'x');
    const report = await examine();
    expect(foundBy(report, 'bus.dead-letters')).toEqual(['CRITICAL 1 events of run were given up.']);
    expect(report.findings.find(({ check }) => check === 'bus.dead-letters')?.mend).toContain(
      'sluice redrive --area run',
    );
  });

  it('finds a group that lags, and events that were begun and not ended', async () => {
    await admin.xgroup('CREATE', events, 'results', '0', 'MKSTREAM');
    for (let event = 0; event < 5; event += 1) await admin.xadd(events, '*', 'e', 'x');
    await admin.xreadgroup('GROUP', 'results', 'gone', 'COUNT', 2, 'STREAMS', events, '>');
    const report = await examine({ limits: { streamLag: 2, pendingSeconds: -10 } });
    expect(foundBy(report, 'bus.events')).toEqual([
      'WARNING results has 3 events of run to read yet.',
      expect.stringMatching(/^WARNING results has begun 2 events of run and not ended them/),
    ]);
  });

  it('finds requests that nobody takes', async () => {
    await admin.xadd('test:{auth}:request:v1', '*', 'e', 'x');
    const report = await examine({ limits: { requestSeconds: -10 } });
    expect(foundBy(report, 'bus.requests')).toEqual([expect.stringMatching(/^CRITICAL 1 requests to auth wait/)]);
  });

  it('finds jobs that no worker takes, and jobs whose worker has died', async () => {
    const queue = '{test:bull}:run-default';
    await admin.hset(`${queue}:meta`, 'opts.maxLenEvents', 1);
    await admin.hset(`${queue}:run_1-1`, 'timestamp', Date.now() - 60_000);
    await admin.lpush(`${queue}:wait`, 'run_1-1');
    await admin.lpush(`${queue}:active`, 'run_2-1', 'run_3-1');
    await admin.set(`${queue}:run_3-1:lock`, 'held');
    expect(foundBy(await examine(), 'queue.jobs')).toEqual([
      expect.stringMatching(/^CRITICAL 1 jobs of run-default wait, the next for (59|60|61) s\.$/),
      'WARNING 1 jobs of run-default have stalled.',
    ]);
  });

  it('takes no job for stalled that ends while it looks', async () => {
    const queue = '{test:bull}:run-default';
    await admin.hset(`${queue}:meta`, 'opts.maxLenEvents', 1);
    await admin.lpush(`${queue}:active`, 'run_2-1');
    const redis = new RedisConnections(
      { prefix: 'test', broker: { url: broker.url, password }, session: {}, cache: {} },
      silent,
    );
    try {
      const client = redis.client('broker');
      vi.spyOn(client, 'exists').mockImplementation(async () => {
        await admin.lrem(`${queue}:active`, 1, 'run_2-1');
        return 0;
      });
      expect(foundBy(await examineRoles(redis), 'queue.jobs')).toEqual([]);
    } finally {
      await redis.close();
    }
  });
});

describe('a server that sentinels have named', () => {
  let folder: string;
  let sentinel: ChildProcess;
  let port: number;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-sentinel-'));
    port = await freePort();
    const file = join(folder, 'sentinel.conf');
    const watched = `sentinel monitor sluice-broker 127.0.0.1 ${broker.port} 1\nsentinel auth-pass sluice-broker ${password}`;
    await writeFile(file, `port ${port}\ndir ${folder}\n${watched}\n`);
    const program = environmentWith({})['SLUICE_REDIS_SERVER'] ?? 'redis-server';
    sentinel = spawn(program, [file, '--sentinel'], { stdio: 'ignore' });
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => sentinel.once('exit', resolve));
    sentinel.kill();
    await gone;
    await rm(folder, { recursive: true });
  });

  it('is itself asked whether it answers strangers, and not what has the usual port of this machine', async () => {
    const urls = { broker: `redis+sentinel://127.0.0.1:${port}/sluice-broker` };
    const { notChecked } = await examine({ urls });
    expect(notChecked).toEqual([]);
    await admin.config('SET', 'requirepass', '');
    try {
      expect(foundBy(await examine({ urls }), 'redis.password')).toEqual([
        expect.stringContaining('It answers without a password.'),
      ]);
    } finally {
      await admin.config('SET', 'requirepass', password);
    }
  });
});
