import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres, startRedis, type PostgresServer, type RedisServer } from '#libs/testing';
import { runSluice } from '../run-sluice.ts';

let redisServer: RedisServer;
let redis: Redis;
let postgres: PostgresServer;

beforeAll(async () => {
  redisServer = await startRedis({ appendonly: true, maxmemory: '200mb' });
  redis = new Redis(redisServer.url);
  postgres = await startPostgres({ flags: ['-c', 'fsync=on'] });
});
afterAll(async () => {
  redis.disconnect();
  await Promise.all([redisServer.stop(), postgres.stop()]);
});
beforeEach(async () => {
  await redis.flushall();
});

const doctor = (args: readonly string[], env: Record<string, string> = {}): ReturnType<typeof runSluice> =>
  runSluice(['doctor', ...args], {
    SLUICE_REDIS_URL: redisServer.url,
    SLUICE_DATABASE_URL: postgres.url,
    ...env,
  });

describe('sluice doctor', () => {
  it('exits with 0 where nothing is wrong beyond notices', async () => {
    const { code, stdout } = await doctor(['--no-services']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\nhealthy, \d+ notices?, 0 not checked\n$/)]);
  });

  it('says of a finding what, why and what mends it, and exits with 3', async () => {
    await redis.xadd('sluice:{run}:event:v1:dead', '*', 'e', 'x');
    const { code, stdout } = await doctor(['--no-services']);
    expect(code).toBe(3);
    expect(stdout).toContain(
      'critical: Bus: 1 events of run were given up. [bus.dead-letters]\n  why:  What they tell',
    );
    expect(stdout).toContain('  mend: Mend what failed, then: sluice redrive --area run');
    expect(stdout).toContain('1 finding, ');
  });

  it('prints JSON with what was measured', async () => {
    const { code, stdout } = await doctor(['--no-services', '--json']);
    const { findings, notChecked, measurements } = JSON.parse(stdout) as Record<string, object[]>;
    expect([code, Array.isArray(findings), notChecked]).toEqual([0, true, []]);
    expect(measurements).toContainEqual(expect.objectContaining({ subject: 'Redis broker', name: 'memory' }));
  });

  it('finds services that do not answer', async () => {
    const { code, stdout } = await doctor([]);
    expect(code).toBe(3);
    for (const service of ['auth', 'metadata', 'orchestrator', 'results']) {
      expect(stdout).toContain(`critical: Service ${service}: No ${service} answered within 5 s`);
    }
  });

  it('blames no service where Redis is full, as none was asked', async () => {
    await redis.config('SET', 'maxmemory', '1');
    const { stdout } = await doctor([]);
    await redis.config('SET', 'maxmemory', '200mb');
    expect(stdout).toContain('critical: Redis broker:');
    expect(stdout).toContain('not checked: Service auth: service.answers: the Redis of the broker role is full');
    expect(stdout).not.toContain('critical: Service');
  });

  it('blames no service where its user may not hear their answers', async () => {
    await redis.acl('SETUSER', 'deaf', 'on', '>a-long-enough-password', '~*', '&*', '+@all', '-xinfo');
    const user = { SLUICE_REDIS_USERNAME: 'deaf', SLUICE_REDIS_PASSWORD: 'a-long-enough-password' };
    const { stdout } = await doctor([], user);
    expect(stdout).toContain('not checked: Services: services: as this user no answer can be read: NOPERM');
    expect(stdout).not.toContain('critical: Service');
  });

  it('says that PostgreSQL was not checked where it is not told of it', async () => {
    const { stdout } = await runSluice(['doctor', '--no-services'], { SLUICE_REDIS_URL: redisServer.url });
    expect(stdout).toContain('not checked: PostgreSQL: postgres: SLUICE_DATABASE_URL is not set');
  });

  it('finds servers that are away, and says what could not be asked through them', async () => {
    const away = { SLUICE_REDIS_URL: 'redis://127.0.0.1:1', SLUICE_DATABASE_URL: 'postgresql://127.0.0.1:1/none' };
    const { code, stdout } = await doctor([], away);
    expect(code).toBe(3);
    expect(stdout).toContain('critical: Redis broker: It does not answer: connect ECONNREFUSED 127.0.0.1:1');
    expect(stdout).toContain('critical: PostgreSQL: It does not answer');
    expect(stdout).toContain('not checked: Services: services: they are asked through the broker, which is away');
  });

  it('reaches PostgreSQL as services do: with a password of its own setting, at the one of several hosts that takes writes', async () => {
    const { username, password, host, pathname } = new URL(postgres.url);
    const env = {
      SLUICE_DATABASE_URL: `postgresql://${username}@127.0.0.1:1,${host}${pathname}`,
      SLUICE_DATABASE_PASSWORD: decodeURIComponent(password),
    };
    const { code, stdout } = await doctor(['--no-services'], env);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ 0 not checked\n$/)]);
  });

  it('exits with 1 where it is not told of any Redis', async () => {
    const { code, stderr } = await runSluice(['doctor']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('SLUICE_REDIS_BROKER_URL')]);
  });

  it('exits with 2 where an option is wrong', async () => {
    expect((await doctor(['--force'])).code).toBe(2);
  });
});
