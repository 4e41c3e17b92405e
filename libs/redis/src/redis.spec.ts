import { describe, expect, it } from 'vitest';
import { connectOptions } from './connect-options.js';
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
  it('is read from its URL, with user and password in it or apart', () => {
    expect(connectOptions({ url: 'redis://bob:s%40fe@redis.internal:7000/2' })).toMatchObject({
      ...{ host: 'redis.internal', port: 7_000, username: 'bob', password: 's@fe', db: 2 },
    });
    expect(connectOptions({ url: 'redis://[::1]', username: 'eve', password: 'word' })).toMatchObject({
      ...{ host: '::1', port: 6_379, username: 'eve', password: 'word' },
    });
    expect(connectOptions({})).toBeUndefined();
  });

  it('is a socket of the machine for unix, with user and password apart', () => {
    const options = connectOptions({ url: 'unix:///run/my%20redis/redis.sock', password: 'word' });
    expect(options).toMatchObject({ path: '/run/my redis/redis.sock', password: 'word' });
    for (const key of ['host', 'port', 'db', 'tls', 'username']) expect(options).not.toHaveProperty(key);
    for (const url of ['unix://host/redis.sock', 'unix:///redis.sock?db=2']) {
      expect(() => connectOptions({ url })).toThrowError(/the whole path alone/);
    }
  });

  it('is TLS for rediss, by name where it has one', () => {
    expect(connectOptions({ url: 'rediss://redis.internal' })).toMatchObject({ tls: { servername: 'redis.internal' } });
    expect(connectOptions({ url: 'rediss://10.0.0.1' })).toMatchObject({ tls: {} });
    expect(connectOptions({ url: 'redis://10.0.0.1' })).not.toHaveProperty('tls');
  });

  it('is refused where the database is no number', () => {
    expect(() => connectOptions({ url: 'redis://host/first' })).toThrowError(/number of a database/);
  });

  it('comes back with a growing wait, and after a failover at once', () => {
    const { retryStrategy, reconnectOnError } = connectOptions({ url: 'redis://host' }) ?? {};
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
