import { Cluster } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { workerRequests } from '#libs/contracts';
import { RedisServers, until } from '#libs/testing';
import { BusFixture } from '../test/fixture.js';
import { BusClient } from './bus-client.js';
import { serviceContext } from './message-context.js';
import { StreamWriter } from './stream-writer.js';

const yes = { stopping: true };

it('a harmless request that went with a master of a Cluster, or was asked without one, is answered soon after there is another', async () => {
  await using servers = await RedisServers.start('cluster');
  const url = `redis+cluster://${servers.addresses.join(',')}`;
  await using bus = BusFixture.on({ url, password: servers.password });
  const never = Promise.withResolvers<typeof yes>();
  const handled: string[] = [];
  bus.serve('a', async ({ runId }) => {
    handled.push(runId);
    return handled.length === 1 ? never.promise : yes;
  });
  const { redis } = bus.parts;
  const client = new BusClient('caller', bus.parts);
  client.start();
  bus.onClose(() => client.stop());
  const context = serviceContext('orchestrator', 'wsp_1');
  const ask = (runId: string): Promise<typeof yes> =>
    client.request(
      { ...workerRequests.stopRun, isIdempotent: true },
      { runId, fence: 1, timedOut: false },
      { context, ttlMs: 20_000 },
    );
  const taken = ask('run_taken');
  await until(() => handled.length === 1);
  const { port = 0 } = (await redis.blocking('broker', 500, bus.requestKey)).options;
  const replication = await servers.ask<string>(port, true, 'info', 'replication');
  const replica = Number(/slave0:ip=[^,]+,port=(\d+)/.exec(replication)?.[1]);
  // The successor is no new server to us: no connection is made anew that would tell of the loss.
  const cluster = redis.client('broker');
  if (cluster instanceof Cluster) await Promise.all(cluster.nodes('all').map((node) => node.ping()));
  servers.kill(port);
  const askedWithout = ask('run_without_master');
  expect(await servers.ask(replica, true, 'cluster', 'failover', 'takeover')).toBe('OK');
  const promotedAt = performance.now();
  expect(await Promise.all([taken, askedWithout])).toEqual([yes, yes]);
  expect(performance.now() - promotedAt).toBeLessThan(5_000);
  expect(handled.toSorted()).toEqual(['run_taken', 'run_taken', 'run_without_master']);
  never.resolve(yes);
});

it('a harmless request whose sending had no answer is sent again at once, though no loss of a server is told after it', async () => {
  await using bus = await BusFixture.start();
  bus.serve('a', async () => yes);
  const client = bus.connect('caller');
  await bus.ask(client);
  vi.spyOn(StreamWriter.prototype, 'add').mockRejectedValueOnce(new Error('Connection is closed.'));
  const context = serviceContext('orchestrator', 'wsp_1');
  const input = { runId: 'run_1', fence: 1, timedOut: false };
  const begun = performance.now();
  expect(await client.request({ ...workerRequests.stopRun, isIdempotent: true }, input, { context })).toEqual(yes);
  expect(performance.now() - begun).toBeLessThan(2_000);
});
