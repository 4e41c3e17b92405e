import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RedisServers, until } from '#libs/testing';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { noFaults, recoveredWithinMs, Trial } from './trial.js';

const primaryName = 'sluice-broker';

const closing = new AsyncDisposableStack();
let redis: RedisServers;
let mesh: RunningMesh;
beforeAll(async () => {
  redis = closing.use(await RedisServers.start('sentinel'));
  const url = `redis+sentinel://${redis.addresses.join(',')}/${primaryName}`;
  const started = closing.use(await TestMesh.start({ moreGateways: 1, moreWorkers: 1, env: redis.settings(url) }));
  mesh = closing.use(new RunningMesh(started.accessData));
});
afterAll(() => closing.disposeAsync());

async function primary(): Promise<number> {
  const [, port] = await redis.ask<[string, string]>(
    redis.firstPort + 3,
    false,
    ...(['sentinel', 'get-master-addr-by-name', primaryName] as const),
  );
  return Number(port);
}

/** When another server than `before` is primary and says so itself. */
async function promoted(before: number): Promise<number> {
  await until(
    async () => {
      const now = await primary();
      if (now === before) return false;
      return (await redis.ask<[string]>(now, true, 'role'))[0] === 'master';
    },
    { timeoutMs: 60_000, intervalMs: 50, what: 'a promotion' },
  );
  return Date.now();
}

async function untilReplicated(): Promise<void> {
  const isReplicated = async (): Promise<boolean> => {
    const [role, , replicas] = await redis.ask<[string, number, unknown[]]>(await primary(), true, 'role');
    return role === 'master' && replicas.length === 2;
  };
  await until(isReplicated, { timeoutMs: 60_000, intervalMs: 250, what: 'two replicas that follow' });
}

describe('A failover by three sentinels', () => {
  test('lets questions wait and no more, is over within 10 s of the promotion, and breaks no promise', async () => {
    const trial = await Trial.begin({ name: 'sentinel', mesh });
    for (const round of ['first', 'second']) {
      await trial.outage(`crash of the ${round} primary`, async () => {
        const before = await primary();
        redis.kill(before);
        const mendedMs = await promoted(before);
        await redis.startAgain(before);
        return mendedMs;
      });
      await trial.everybodyAnswered();
      await untilReplicated();
    }
    await trial.outage('loss of a replica and of a sentinel', async () => {
      const before = await primary();
      const replica = [0, 1, 2].map((index) => redis.firstPort + index).find((port) => port !== before) ?? 0;
      const sentinel = redis.firstPort + 5;
      redis.kill(replica);
      redis.kill(sentinel);
      await redis.startAgain(replica);
      await redis.startAgain(sentinel, '--sentinel');
    });
    const { faults, errors, outages, longestQuestionMs } = await trial.end();
    expect(faults).toEqual(noFaults);
    for (const { answeredAfterMs, endedAfterMs } of outages) {
      expect(answeredAfterMs).toBeLessThan(recoveredWithinMs);
      expect(endedAfterMs).toBeLessThan(recoveredWithinMs + longestQuestionMs);
    }
    // A cancel or a change has no key by which it could be sent again: lost on its way, its outcome is told as open.
    expect(errors.filter((error) => error.includes(': submit:') || error.includes('ended as'))).toEqual([]);
  });
});
