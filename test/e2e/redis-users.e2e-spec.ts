import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisLoginOf } from '../../deploy/local/redis.ts';
import { services } from '../../deploy/local/mesh.ts';
import { newDataSource } from '../support/data-sources.js';
import { runToEnd } from '../support/executions.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

// Every service of the shared mesh comes to its Redis as the user that deploy/redis/users-broker.acl has for it, so every
// other spec here tests too that nothing is missing. What was refused stands in ACL LOG.

const mesh = sharedMesh();
let admin: Redis;
beforeAll(() => {
  admin = new Redis(mesh.access.brokerUrl);
});
afterAll(async () => {
  admin.disconnect();
  await mesh.close();
});

async function as(service: string, work: (redis: Redis) => Promise<void>): Promise<void> {
  const { hostname: host, port } = new URL(mesh.access.brokerUrl);
  const login = redisLoginOf(service, mesh.access.secrets.redisPassword);
  const redis = new Redis({ host, port: Number(port), ...login, disableClientInfo: true, maxRetriesPerRequest: 0 });
  try {
    await work(redis);
  } finally {
    redis.disconnect();
  }
}

describe('The users of Redis', () => {
  test('may do all that their service does: a query runs to its end and nothing has been refused', async () => {
    const reader = { ...mesh.access.reader, ssl: { mode: 'disable' } };
    const { id } = await newDataSource(mesh.admin, 'postgres', reader);
    expect((await runToEnd(mesh.admin, id, unique('select 1'))).state).toBe('SUCCEEDED');
    const list = String(await admin.call('CLIENT', 'LIST'));
    const connected = new Set([...list.matchAll(/ user=sluice-(\S+)/g)].map(([, name]) => name));
    expect([...connected].sort()).toEqual(services.toSorted());
    // What operations.health is not told, it says it has not checked.
    const forHealth = 'sluice-gateway command config|get (config|get)';
    expect((await refused()).filter((each) => each !== forHealth)).toEqual([]);
  });

  test.each(services)(
    '%s is refused what harms others: FLUSHALL, CONFIG, KEYS and what no service needs',
    async (service) => {
      await as(service, async (redis) => {
        expect(await redis.ping()).toBe('PONG');
        const harmful = [
          ...[['FLUSHALL'], ['FLUSHDB'], ['CONFIG', 'GET', '*'], ['KEYS', '*'], ['DEBUG', 'SLEEP', '0']],
          // The gateway looks after the health of each Redis, by samples of its keys.
          ...(service === 'gateway' ? [] : [['SCAN', '0']]),
          ...[['SHUTDOWN', 'NOSAVE'], ['MONITOR'], ['REPLICAOF', 'NO', 'ONE'], ['CLIENT', 'KILL', 'ID', '1'], ['SAVE']],
          ...[
            ['ACL', 'LIST'],
            ['FUNCTION', 'LIST'],
            ['SWAPDB', '0', '1'],
            ['SUBSCRIBE', 'x'],
            ['EVAL', 'return redis.call("flushall")', '0'],
          ],
        ];
        for (const [command = '', ...args] of harmful) {
          await expect(redis.call(command, ...args), command).rejects.toThrowError(
            /NOPERM|not allowed|can't run this command/,
          );
        }
      });
    },
  );

  test('touch the keys of their own work alone, by a script neither', async () => {
    const foreign: Record<string, readonly (readonly string[])[]> = {
      gateway: [
        ['XREAD', 'STREAMS', 'sluice:{auth}:request:v1', '0'],
        ['XADD', 'sluice:{ev:0}:run', '*', 'e', 'x'],
        ['HGETALL', '{sluice:bull}:run-default:1'],
        ['XREAD', 'STREAMS', 'sluice:{r:auth-1}:inbox', '0'],
      ],
      worker: [
        ['XRANGE', 'sluice:{r:gateway-1}:inbox', '-', '+'],
        ['XADD', 'sluice:{audit-auth}:event:v1', '*', 'e', 'x'],
        ['XADD', 'sluice:{auth}:event:v1:whole', '*', 'e', 'x'],
      ],
      results: [
        ['HGET', 'sluice:{ws:1}:rev', 'metadata'],
        ['LLEN', '{sluice:bull}:run-default:wait'],
      ],
      auth: [['XADD', 'sluice:{run}:event:v1', '*', 'e', 'x']],
      metadata: [['GET', 'other:{auth}:x']],
      orchestrator: [['SET', 'other-installation', 'x']],
    };
    for (const [service, commands] of Object.entries(foreign)) {
      await as(service, async (redis) => {
        for (const [command = '', ...args] of commands) {
          await expect(redis.call(command, ...args), `${service}: ${command} ${args[0] ?? ''}`).rejects.toThrowError(
            /NOPERM/,
          );
        }
        const reading = "return redis.call('XRANGE', KEYS[1], '-', '+')";
        await expect(redis.call('EVAL', reading, '1', 'sluice:{r:other-1}:inbox')).rejects.toThrowError(/can't access/);
      });
    }
  });

  test('the inspector sees what there is and how large, and nothing of what is in it', async () => {
    await as('inspector', async (redis) => {
      const [, found] = await redis.scan('0', 'MATCH', 'sluice:*', 'COUNT', 1_000);
      const key = found.find((each) => each.endsWith('request:v1')) ?? '';
      expect(await redis.memory('USAGE', key)).toBeGreaterThan(0);
      expect(await redis.xlen(key)).toBeGreaterThanOrEqual(0);
      expect(await redis.slowlog('LEN')).toBeGreaterThanOrEqual(0);
      // What was slow is shown with its arguments.
      for (const read of [
        () => redis.xrange(key, '-', '+'),
        () => redis.get(key),
        () => redis.config('GET', 'dir'),
        () => redis.slowlog('GET'),
      ]) {
        await expect(read()).rejects.toThrowError(/NOPERM/);
      }
    });
  });
});

/** What a service has been refused; not what this file has asked as one. */
async function refused(): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG')) as unknown[][];
  return log.map((entry) => {
    const of = (name: string): string => String(entry[entry.indexOf(name) + 1]);
    return `${of('username')} ${of('reason')} ${of('object')} (${of('client-info').replace(/.* cmd=(\S+).*/, '$1')})`;
  });
}
