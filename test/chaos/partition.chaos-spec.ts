import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { services } from '../../deploy/local/mesh.js';
import { RunningMesh } from '../support/running-mesh.js';
import { missingForNetworks, Network } from './network.js';
import { startNetworked } from './networked-mesh.js';
import { isNotTried } from './not-tried.js';
import { noFaults, Trial } from './trial.js';

/** Longer than the lease of these settings: what a service does not hear of is decided without it. */
const cutMs = 6_000;

// Services speak with each other by Redis alone, so what parts two of them is what parts one of them from Redis.
describe.skipIf(isNotTried('a partition', missingForNetworks()))('A partition', () => {
  const closing = new AsyncDisposableStack();
  let network: Network;
  let mesh: RunningMesh;

  beforeAll(async () => {
    network = closing.use(new Network(11));
    const started = closing.use(await startNetworked(network, { moreGateways: 1, moreWorkers: 1 }));
    mesh = closing.use(new RunningMesh(started.accessData));
  });
  afterAll(() => closing.disposeAsync());

  test('of any service from the others, from its database or from the source loses, repeats and leaves behind nothing', async () => {
    const redis = Number(new URL(mesh.access.brokerUrl).port);
    const postgres = mesh.access.reader.port;
    const reader = { ...mesh.access.reader, host: network.host, ssl: { mode: 'disable' } };
    const source = { url: mesh.access.flightsDatabaseUrl, options: reader };
    const trial = await Trial.begin({ name: 'partition', mesh, source });
    const part = (name: string, from: string, begin: () => void): Promise<void> =>
      trial.outage(`${name} without ${from}`, async () => {
        begin();
        try {
          await delay(cutMs);
        } finally {
          network.heal(name);
        }
      });
    for (const name of services) await part(name, 'the others', () => network.cut(name, redis));
    for (const name of ['orchestrator', 'worker', 'gateway']) {
      await part(name, 'hearing the others', () => network.deafen(name, redis));
    }
    for (const name of ['auth', 'metadata', 'orchestrator', 'results']) {
      await part(name, 'its database', () => network.cut(name, postgres));
    }
    await part('worker', 'the source', () => network.cut('worker', postgres));
    const { faults } = await trial.end();
    expect(faults).toEqual(noFaults);
  });
});
