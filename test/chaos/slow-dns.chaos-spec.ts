import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { services } from '../../deploy/local/mesh.js';
import { waitForRedis } from '../../deploy/local/redis.js';
import { waitForPostgres } from '../../deploy/local/postgres.js';
import { RunningMesh } from '../support/running-mesh.js';
import type { TestMesh } from '../support/test-mesh.js';
import { missingForNetworks, Network } from './network.js';
import { startNetworked } from './networked-mesh.js';
import { isNotTried } from './not-tried.js';
import { SlowNames } from './slow-names.js';
import { noFaults, Trial } from './trial.js';

const storeName = 'stores.sluice.test';

describe.skipIf(isNotTried('slow names', missingForNetworks()))('Names that are found after seconds', () => {
  const closing = new AsyncDisposableStack();
  let names: SlowNames;
  let started: TestMesh;
  let mesh: RunningMesh;

  beforeAll(async () => {
    const network = closing.use(new Network(12));
    names = closing.use(await SlowNames.start(network.host));
    for (const name of [...services, 'gateway-2', 'worker-2']) network.resolveByBridge(name);
    started = closing.use(await startNetworked(network, { storeName, moreGateways: 1, moreWorkers: 1 }));
    mesh = closing.use(new RunningMesh(started.accessData));
  });
  afterAll(() => closing.disposeAsync());

  test('make whoever connects anew wait, and break no promise', async () => {
    const source = {
      url: mesh.access.flightsDatabaseUrl,
      options: { ...mesh.access.reader, host: storeName, ssl: { mode: 'disable' } },
    };
    const trial = await Trial.begin({ name: 'slow names', mesh, source });
    const slowly = (name: string, delayMs: number, work: () => Promise<void>): Promise<void> =>
      trial.outage(`${name}, names after ${delayMs} ms`, async () => {
        names.delayMs = delayMs;
        await work();
        await delay(4_000);
        names.delayMs = 0;
      });
    const askedBefore = names.asked;
    await slowly('nothing else', 1_500, () => delay(4_000));
    await slowly('Redis restart', 1_500, async () => {
      await started.mesh.child('redis-broker').kill();
      started.mesh.child('redis-broker').start();
      await waitForRedis(mesh.access.brokerUrl);
    });
    await slowly('PostgreSQL restart', 1_500, async () => {
      await started.mesh.child('postgres').stop();
      started.mesh.child('postgres').start();
      await waitForPostgres(started.mesh.postgresUrl('postgres'));
    });
    await slowly('restart of a worker', 3_000, async () => {
      await started.mesh.child('worker').kill();
      started.mesh.child('worker').start();
      await started.mesh.waitForService('worker');
    });
    const { faults } = await trial.end();
    expect(faults).toEqual(noFaults);
    expect(names.asked).toBeGreaterThan(askedBefore);
  });
});
