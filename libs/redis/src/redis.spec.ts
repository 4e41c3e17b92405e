import { describe, expect, it } from 'vitest';
import { connectOptions, type RoleSettings } from './connect-options.js';
import { RedisKeys } from './redis-keys.js';
import { safeError } from './safe-error.js';

describe('keys', () => {
  const keys = new RedisKeys('sluice');

  it('carry the prefix, and a hash tag for what belongs together', () => {
    expect(keys.requests('auth')).toBe('sluice:{auth}:request:v1');
    expect(keys.instance('worker-1')).toBe('sluice:{r:worker-1}:inbox');
    expect(keys.events('run', 1)).toBe('sluice:{run}:event:v1');
    expect(keys.firehose(3)).toBe('sluice:{ev:3}:run');
    expect(keys.bull).toBe('{sluice:bull}');
  });

  it('S14: of a stream and what is kept beside it lie on one slot of a cluster', () => {
    const stream = keys.events('run', 1);
    const tagOf = (key: string): string | undefined => /\{(.+?)\}/.exec(key)?.[1];
    for (const key of [keys.deadLetters(stream), keys.whole(stream)]) expect(tagOf(key)).toBe(tagOf(stream));
  });
});

describe('how a role is reached', () => {
  const optionsOf = (settings: RoleSettings) => connectOptions(settings)?.options;

  it('is read from its URL, with user and password in it or apart', () => {
    expect(optionsOf({ url: 'redis://bob:s%40fe@redis.internal:7000/2' })).toMatchObject({
      ...{ host: 'redis.internal', port: 7_000, username: 'bob', password: 's@fe', db: 2 },
    });
    expect(optionsOf({ url: 'redis://[::1]', username: 'eve', password: 'word' })).toMatchObject({
      ...{ host: '::1', port: 6_379, username: 'eve', password: 'word' },
    });
    expect(optionsOf({})).toBeUndefined();
  });

  it('is a socket of the machine for unix, with user and password apart', () => {
    const options = optionsOf({ url: 'unix:///run/my%20redis/redis.sock', password: 'word' });
    expect(options).toMatchObject({ path: '/run/my redis/redis.sock', password: 'word' });
    for (const key of ['host', 'port', 'db', 'tls', 'username']) expect(options).not.toHaveProperty(key);
    for (const url of ['unix://host/redis.sock', 'unix:///redis.sock?db=2']) {
      expect(() => connectOptions({ url })).toThrowError(/the whole path alone/);
    }
  });

  it('is a primary that sentinels name, with a password of its own and one for them', () => {
    const url = 'redis+sentinel://sluice:word@one,two:26380,[::1]:26381/sluice-broker/2';
    const options = optionsOf({ url, sentinelUsername: 'asker', sentinelPassword: 'other' });
    expect(options).toMatchObject({
      sentinels: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 26_380 },
        { host: '::1', port: 26_381 },
      ],
      ...{ name: 'sluice-broker', db: 2, username: 'sluice', password: 'word' },
      ...{ sentinelUsername: 'asker', sentinelPassword: 'other' },
    });
    expect(options).not.toHaveProperty('tls');
    expect(() => connectOptions({ url: 'redis+sentinel://one,two' })).toThrowError(/name of the primary/);
  });

  it('is a Cluster by any of its nodes, whose one database is not chosen by number', () => {
    const url = 'redis+cluster://:word@one,two:7001';
    const { clusterNodes, options } = connectOptions({ url }) ?? {};
    expect(clusterNodes).toEqual([
      { host: 'one', port: 6_379 },
      { host: 'two', port: 7_001 },
    ]);
    expect(options).toMatchObject({ password: 'word' });
    expect(() => connectOptions({ url: `${url}/0` })).not.toThrowError();
    expect(() => connectOptions({ url: `${url}/2` })).toThrowError(/one database only.*SLUICE_REDIS_PREFIX/);
  });

  it('is TLS for rediss, by the name of the URL or that of the settings, with own authority and certificate', () => {
    expect(optionsOf({ url: 'rediss://redis.internal' })).toMatchObject({ tls: { servername: 'redis.internal' } });
    expect(optionsOf({ url: 'rediss://10.0.0.1' })?.tls).toEqual({});
    expect(optionsOf({ url: 'redis://10.0.0.1', tlsServerName: 'redis' })).not.toHaveProperty('tls');
    const tls = { ca: 'authority', cert: 'ours', key: 'key', servername: 'redis' };
    const settings = { tlsCa: 'authority', tlsCertificate: 'ours', tlsKey: 'key', tlsServerName: 'redis' };
    for (const url of ['rediss://10.0.0.1', 'rediss+cluster://one', 'rediss+sentinel://one/sluice']) {
      expect(optionsOf({ url, ...settings })?.tls).toEqual(tls);
    }
    expect(optionsOf({ url: 'rediss+sentinel://one/sluice', ...settings })).toMatchObject({
      sentinelTLS: tls,
      enableTLSForSentinelMode: true,
    });
  });

  it('is refused where the URL is none, without saying it', () => {
    expect(() => connectOptions({ url: 'redis://host/first' })).toThrowError(/number of a database/);
    for (const url of ['http://secret', 'redis://', 'redis://:secret@a:b', 'redis://a,b', 'redis+other://secret']) {
      expect(() => connectOptions({ url })).toThrowError(/^(?!.*secret)./);
    }
  });

  it('comes back with a growing wait, and after a failover at once', () => {
    const { retryStrategy, reconnectOnError } = optionsOf({ url: 'redis://host' }) ?? {};
    expect(retryStrategy?.(1)).toBeLessThanOrEqual(100);
    expect(retryStrategy?.(30)).toBeLessThanOrEqual(2_000);
    expect(reconnectOnError?.(new Error("READONLY You can't write"))).toBe(2);
    expect(reconnectOnError?.(new Error('ERR'))).toBe(false);
  });
});

it('a logged error names its command and none of the arguments', () => {
  const error = Object.assign(new Error("ERR unknown command 'x', with args beginning with: 'secret'"), {
    command: { name: 'auth', args: ['secret'] },
  });
  const safe = safeError(error);
  expect(safe.message).toBe("ERR unknown command 'x' (auth)");
  expect(JSON.stringify([safe, safe.stack, Object.values(safe)])).not.toContain('secret');
});
