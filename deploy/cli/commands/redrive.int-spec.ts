import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis, type RedisServer } from '#libs/testing';
import { runSluice } from '../run-sluice.ts';

const stream = 'sluice:{run}:event:v1';
const dead = `${stream}:dead`;

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  for (const event of ['a', 'b', 'c']) await redis.xadd(dead, '*', 'e', event, 'group', 'results', 'of', '1-1');
});

const redrive = (...args: string[]): ReturnType<typeof runSluice> =>
  runSluice(['redrive', ...args], { SLUICE_REDIS_BROKER_URL: server.url });

describe('sluice redrive', () => {
  it('sends dead letters once more, oldest first, and says how many are left', async () => {
    const { code, stdout } = await redrive('--area', 'run', '--limit', '2', '--json');
    expect([code, JSON.parse(stdout)]).toEqual([0, { area: 'run', redriven: 2, left: 1 }]);
    expect((await redis.xrange(stream, '-', '+')).map(([, fields]) => fields)).toEqual([
      ['e', 'a'],
      ['e', 'b'],
    ]);
    expect(await redis.xlen(dead)).toBe(1);
  });

  it('changes nothing where it is only to count', async () => {
    const { code, stdout } = await redrive('--area', 'run', '--count');
    expect([code, stdout.trim()]).toEqual([0, 'run: 0 sent again, 3 left']);
    expect(await redis.xlen(dead)).toBe(3);
  });

  it.each([
    ['no area', [], "required option '--area <area>' not specified"],
    ['an unknown area', ['--area', 'nowhere'], 'Allowed choices are audit-auth'],
    ['a limit that is no number', ['--area', 'run', '--limit', 'many'], 'It is a whole number from 1'],
    ['an unknown option', ['--area', 'run', '--force'], "unknown option '--force'"],
  ])('says what is wrong with %s, and exits with 2', async (_what, args, message) => {
    const { code, stderr } = await redrive(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('explains itself', async () => {
    const { code, stdout } = await redrive('--help');
    expect([code, stdout]).toEqual([0, expect.stringContaining('Exit codes')]);
  });
});
