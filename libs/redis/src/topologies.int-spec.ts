import { connect as connectTcp } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, RedisServers, selfSigned, startRedis, until } from '#libs/testing';
import { policyFault } from './check-policy.js';
import { RedisConnections, type RedisSettings } from './redis-connections.js';
import { RevisionCopies } from './revision-copies.js';
import { TokenBuckets } from './token-buckets.js';

const open: RedisConnections[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

function connect(broker: RedisSettings['broker']): RedisConnections {
  const silent = { info: () => undefined, warn: () => undefined };
  const connections = new RedisConnections({ prefix: 'test', broker, session: {}, cache: {} }, silent);
  open.push(connections);
  return connections;
}

describe('a Redis Cluster', () => {
  let cluster: RedisServers;
  let settings: { url: string; password: string };
  beforeAll(async () => {
    cluster = await RedisServers.start('cluster');
    settings = { url: `redis+cluster://${cluster.addresses.join(',')}`, password: cluster.password };
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('S14: has what every instance, workspace and caller has of its own spread over all of its masters', async () => {
    const redis = connect(settings);
    const buckets = new TokenBuckets(redis);
    const copies = new RevisionCopies(redis);
    await redis.ready('broker', 5_000);
    for (let index = 0; index < 100; index += 1) {
      expect(await buckets.take(`usr_${index}`, { perSecond: 0.01, burst: 5 })).toBe(0);
      await copies.raise(`wsp_${index}`, 'metadata', index);
      await redis.client('broker').xadd(redis.keys.instance(`gateway-${index}`), '*', 'e', 'reply');
    }
    expect(await copies.read('wsp_7', 'metadata')).toBe(7);
    const client = redis.client('broker');
    const masters = client instanceof Cluster ? client.nodes('master') : [];
    const counts = await Promise.all(masters.map((node) => node.dbsize()));
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(300);
    for (const count of counts) expect(count).toBeGreaterThan(60);
    expect(await policyFault(client, 'broker')).toBeUndefined();
    expect(await policyFault(client, 'cache')).toContain('allkeys');
  });

  it('is read by a blocking reader at the node that has the key, also after another has taken its place', async () => {
    const redis = connect(settings);
    const key = redis.keys.instance('reader');
    const read = async (after: string): Promise<unknown> => {
      const blocking = await redis.blocking('broker', 1_000, key);
      try {
        return await blocking.xread('BLOCK', 1_000, 'STREAMS', key, after);
      } finally {
        blocking.disconnect();
      }
    };
    await redis.ready('broker', 5_000);
    const first = String(await redis.client('broker').xadd(key, '*', 'e', '1'));
    expect(await read('0-0')).toEqual([[key, [[first, ['e', '1']]]]]);

    const owner = await redis.blocking('broker', 1_000, key);
    const port = String(owner.options.port);
    const node = redis.beside('broker', owner);
    expect(node?.options.port).toBe(Number(port));
    const replicas = String(await node?.call('INFO', 'replication'));
    const [, replicaPort = ''] = /slave0:ip=[^,]+,port=(\d+)/.exec(replicas) ?? [];
    await until(async () => (await cluster.ask(Number(replicaPort), true, 'cluster', 'failover')) === 'OK');
    const blocked = owner.xread('BLOCK', 1_000, 'STREAMS', key, first);
    await blocked.catch(() => undefined);
    owner.disconnect();
    const second = String(await until(() => redis.client('broker').xadd(key, '*', 'e', '2')));
    expect(await until(() => read(first))).toEqual([[key, [[second, ['e', '2']]]]]);
  });

  it('names the keys together that one command may name', () => {
    const redis = connect(settings);
    const [one, other] = [redis.keys.firehose(0), redis.keys.firehose(1)];
    expect(redis.together('broker', [one, other])).toEqual([[one], [other]]);
    expect(redis.together('broker', [one, `${one}:x`])).toEqual([[one, `${one}:x`]]);
    expect(connect({ url: 'redis://127.0.0.1:1' }).together('broker', [one, other])).toEqual([[one, other]]);
  });
});

describe('a primary with sentinels', () => {
  it('is found by them, and its successor after a failover, with passwords, and what was lost comes back as a replica', async () => {
    await using servers = await RedisServers.start('sentinel', { SLUICE_SENTINEL_DOWN_AFTER_MS: '1000' });
    const { addresses, password } = servers;
    const redis = connect({ url: `redis+sentinel://${addresses.join(',')}/sluice-broker`, password });
    const client = redis.client('broker');
    await until(() => client.set('x', '1'));
    const blocking = await redis.blocking('broker', 500, 'x');
    expect(await blocking.get('x')).toBe('1');
    blocking.disconnect();
    await servers.ask(servers.firstPort, true, 'shutdown', 'nosave', 'now').catch(() => undefined);
    const begun = performance.now();
    // Sentinels whose votes were split elect anew after 20 s.
    await until(() => client.set('x', '2'), { timeoutMs: 60_000 });
    expect(await client.get('x')).toBe('2');
    process.stdout.write(`  written again ${Math.round(performance.now() - begun)} ms after the loss of the primary\n`);
    // The script knows that the first server is the primary no more, and waits until it is a replica of the other.
    await servers.startMissing();
    expect(servers.addresses).toEqual(addresses);
    expect(await servers.ask(servers.firstPort, true, 'info', 'replication')).toMatch(
      /role:slave[^]*master_link_status:up/,
    );
  }, 120_000);
});

describe('a Redis behind a proxy that ends TLS', () => {
  it('is reached by the name in the settings, with an own authority and certificate, and not without', async () => {
    await using server = await startRedis();
    const { certificate, privateKey } = await selfSigned();
    const proxy = createTlsServer(
      { key: privateKey, cert: certificate, ca: certificate, requestCert: true, rejectUnauthorized: true },
      (near) => {
        const far = connectTcp(server.port, '127.0.0.1');
        near.pipe(far).pipe(near);
        for (const each of [near, far]) each.on('error', () => far.destroy());
      },
    );
    const port = await freePort();
    await new Promise<void>((done) => proxy.listen(port, '127.0.0.1', done));
    const url = `rediss://127.0.0.1:${port}`;
    const tls = { tlsCa: certificate, tlsCertificate: certificate, tlsKey: privateKey };
    expect(
      await connect({ url, ...tls, tlsServerName: 'localhost' })
        .client('broker')
        .ping(),
    ).toBe('PONG');
    for (const wrong of [{ ...tls, tlsServerName: 'elsewhere' }, { tlsServerName: 'localhost' }]) {
      await expect(
        connect({ url, ...wrong })
          .client('broker')
          .ping(),
      ).rejects.toThrowError();
    }
    await Promise.all(open.splice(0).map((each) => each.close()));
    await new Promise((done) => proxy.close(done));
  });
});
