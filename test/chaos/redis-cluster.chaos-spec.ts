import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RedisServers, until } from '#libs/testing';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { noFaults, recoveredWithinMs, Trial } from './trial.js';

const closing = new AsyncDisposableStack();
let redis: RedisServers;
let mesh: RunningMesh;
beforeAll(async () => {
  redis = closing.use(await RedisServers.start('cluster'));
  const url = `redis+cluster://${redis.addresses.join(',')}`;
  const started = closing.use(await TestMesh.start({ moreGateways: 1, moreWorkers: 1, env: redis.settings(url) }));
  mesh = closing.use(new RunningMesh(started.accessData));
});
afterAll(() => closing.disposeAsync());

interface Node {
  id: string;
  port: number;
  flags: string[];
  slots: string;
}

async function nodes(): Promise<Node[]> {
  for (let port = redis.firstPort; port < redis.firstPort + 6; port += 1) {
    const text = await redis.ask<string>(port, true, 'cluster', 'nodes').catch(() => undefined);
    if (text !== undefined) return text.trim().split('\n').map(nodeOf);
  }
  throw new Error('no node of the cluster answers');
}

function nodeOf(line: string): Node {
  const [id = '', address = '', flags = '', , , , , , ...slots] = line.split(' ');
  return { id, port: Number(/:(\d+)/.exec(address)?.[1]), flags: flags.split(','), slots: slots.join(' ') };
}

async function masters(): Promise<Node[]> {
  const all = await nodes();
  return all.filter(({ flags, slots }) => flags.includes('master') && !flags.includes('fail') && slots !== '');
}

/** As cluster-create.sh starts a node. */
const clusterArgs = [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000', '--cluster-config-file', 'nodes.conf'],
  ...['--cluster-require-full-coverage', 'no', '--cluster-allow-reads-when-down', 'no'],
];

async function isReplicated(): Promise<boolean> {
  const links = await Promise.all(
    (await nodes()).map(async ({ port, flags }) => {
      if (flags.includes('master')) return flags.includes('fail') ? 'down' : 'master';
      return /master_link_status:(\w+)/.exec(await redis.ask<string>(port, true, 'info', 'replication'))?.[1];
    }),
  );
  return links.filter((link) => link === 'up').length === 3 && links.filter((link) => link === 'master').length === 3;
}

/** A replica that has not heard yet of a slot which has just been moved to its master would not have it when promoted. */
async function areAgreed(): Promise<boolean> {
  const [node] = await masters();
  const told = await redis.cli('--cluster', 'check', `127.0.0.1:${node?.port}`).catch(() => '');
  return told.includes('All nodes agree about slots configuration') && !told.includes('[WARNING]');
}

describe('A Redis Cluster under load', () => {
  test('is resharded and loses masters: questions are answered within 10 s of a promotion, and no promise is broken', async () => {
    const trial = await Trial.begin({ name: 'redis cluster', mesh });
    await trial.outage('resharding of 4,000 slots', async () => {
      const [from, to] = await masters();
      if (!from || !to) throw new Error('there are three masters');
      const route = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', '4000'];
      await redis.cli('--cluster', 'reshard', `127.0.0.1:${from.port}`, ...route, '--cluster-yes');
    });
    await trial.everybodyAnswered();
    await until(areAgreed, { timeoutMs: 60_000, intervalMs: 250, what: 'nodes that agree on who has which slot' });
    for (let round = 1; round <= 2; round += 1) {
      await trial.outage(`loss of master ${round}`, async () => {
        const before = await masters();
        const lost = before[round % before.length];
        if (!lost) throw new Error('there are three masters');
        redis.kill(lost.port);
        await until(
          async () => {
            const now = await masters();
            return now.length === 3 && now.every(({ id }) => id !== lost.id);
          },
          { timeoutMs: 60_000, intervalMs: 100, what: 'a replica in the place of the master' },
        );
        const mendedMs = Date.now();
        await redis.startAgain(lost.port, ...clusterArgs);
        return mendedMs;
      });
      await trial.everybodyAnswered();
      await until(isReplicated, { timeoutMs: 60_000, intervalMs: 250, what: 'a replica of each master' });
    }
    const { faults, outages, longestQuestionMs } = await trial.end();
    expect(faults).toEqual(noFaults);
    for (const { answeredAfterMs, endedAfterMs } of outages) {
      expect(answeredAfterMs).toBeLessThan(recoveredWithinMs);
      expect(endedAfterMs).toBeLessThan(recoveredWithinMs + longestQuestionMs);
    }
  });
});
