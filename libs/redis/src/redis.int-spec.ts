import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, TcpProxy, until, type RedisServer } from '#libs/testing';
import { policyFault } from './check-policy.js';
import { RedisConnections } from './redis-connections.js';
import { RedisScript } from './redis-script.js';

interface Line {
  detail: Readonly<Record<string, unknown>>;
  message: string;
}

describe('the clients of Redis', () => {
  let server: RedisServer;
  const open: RedisConnections[] = [];
  let lines: Line[];
  const observed: string[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  function connect(port = server.port, password?: string): RedisConnections {
    lines = [];
    const write = (detail: Line['detail'], message: string): void => void lines.push({ detail, message });
    const role = { url: `redis://127.0.0.1:${port}`, password };
    const connections = new RedisConnections(
      { prefix: 'test', broker: role, session: role, cache: {} },
      { info: write, warn: write },
      (which, command, seconds) => observed.push(`${which} ${command} ${seconds >= 0}`),
    );
    open.push(connections);
    return connections;
  }

  it('are one for each role, and none for a role that is not configured', () => {
    const redis = connect();
    expect(redis.client('broker')).toBe(redis.client('broker'));
    expect(redis.client('session')).not.toBe(redis.client('broker'));
    expect(redis.has('cache')).toBe(false);
    expect(() => redis.client('cache')).toThrowError(/not configured/);
  });

  it('send what is asked in one turn in its order, texts and bytes alike, and tell how long each took', async () => {
    const client = connect().client('broker');
    const bytes = Buffer.from([0, 255, 13, 10]);
    const replies = Array.from({ length: 500 }, (_, index) =>
      client.rpush('list', index % 2 === 0 ? String(index) : Buffer.concat([bytes, Buffer.from(String(index))])),
    );
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    const list = await client.lrangeBuffer('list', 0, -1);
    expect(list[498]?.toString()).toBe('498');
    expect(list[499]?.subarray(0, 4)).toEqual(bytes);
    expect(observed).toContain('broker rpush true');
  });

  it('keep the order of commands and their replies also around a transaction and a pipeline', async () => {
    const client = connect().client('broker');
    await client.ping();
    const before = Array.from({ length: 20 }, (_, index) => client.echo(`before ${index}`));
    const transaction = client.multi().echo('inside').incr('order').exec();
    const between = client.echo('between');
    const pipeline = client.pipeline().echo('piped').exec();
    const after = Array.from({ length: 20 }, (_, index) => client.echo(`after ${index}`));
    expect(await Promise.all(before)).toEqual(Array.from({ length: 20 }, (_, index) => `before ${index}`));
    expect(await transaction).toEqual([
      [null, 'inside'],
      [null, 1],
    ]);
    expect(await between).toBe('between');
    expect(await pipeline).toEqual([[null, 'piped']]);
    expect(await Promise.all(after)).toEqual(Array.from({ length: 20 }, (_, index) => `after ${index}`));
  });

  it('never send again what was on its way when the connection went dead, and say so in a few seconds', async () => {
    await using proxy = await TcpProxy.start(server.port);
    const redis = connect(proxy.port);
    const client = redis.client('broker');
    await client.set('count', '0');
    proxy.swallow();
    const lost = client.incr('count');
    await expect(lost).rejects.toThrowError();
    proxy.restore();
    await until(() => redis.ready('broker', 1_000));
    expect(await client.get('count')).toBe('0');
  });

  it('fail at once while Redis is away, and go on when it is back', async () => {
    await using other = await startRedis();
    const redis = connect(other.port);
    await redis.client('broker').ping();
    await other.kill();
    await until(() => lines.length > 0);
    await expect(redis.client('broker').ping()).rejects.toThrowError();
    expect(await redis.ready('broker', 50)).toBe(false);
    await other.launch();
    await until(() => redis.ready('broker', 1_000));
    expect(await redis.client('broker').ping()).toBe('PONG');
    await until(() => lines.at(-1)?.message === 'Redis can be reached again');
    expect(lines).toHaveLength(2);
  });

  it('fail at once while no sentinel can be reached, also what was asked before that was known', async () => {
    const broker = { url: 'redis+sentinel://127.0.0.1:1/mymaster' };
    const logger = { info: () => undefined, warn: () => undefined };
    const redis = new RedisConnections({ prefix: 'test', broker, session: {}, cache: {} }, logger);
    open.push(redis);
    for (const _when of ['before it is known', 'then']) {
      await expect(redis.client('broker').get('a')).rejects.toThrowError('none of the sentinels can be reached');
    }
  });

  it('log a refused password without the password', async () => {
    const admin = connect().client('broker');
    await admin.config('SET', 'requirepass', 'right-word');
    try {
      await expect(connect(server.port, 'wrong-word').client('broker').ping()).rejects.toThrowError();
      await until(() => lines.length > 0);
      const err = lines[0]?.detail['err'];
      expect(err).toBeInstanceOf(Error);
      expect(JSON.stringify([err, err instanceof Error ? [err.message, err.stack] : ''])).not.toContain('wrong-word');
    } finally {
      await admin.config('SET', 'requirepass', '');
    }
  });

  it('run a script by its digest, also where the server has forgotten it', async () => {
    const redis = connect();
    const script = RedisScript.load(scriptFile, 1);
    expect(await script.run(redis.call('broker'), 'test:{x}:mark', 'a', 'b')).toBe(0);
    await redis.client('broker').script('FLUSH');
    await redis.client('broker').set('test:{x}:mark', 'a');
    expect(await script.run(redis.call('broker'), 'test:{x}:mark', 'a', 'b')).toBe(1);
  });

  it('say what does not fit between the eviction policy of a server and its role', async () => {
    const client = connect().client('broker');
    expect(await policyFault(client, 'broker')).toBeUndefined();
    expect(await policyFault(client, 'cache')).toContain('allkeys');
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await policyFault(client, 'cache')).toBeUndefined();
    expect(await policyFault(client, 'session')).toContain('noeviction');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
  });
});

const scriptFile = new URL('../../bus/src/lua/replace-mark.lua', import.meta.url);
