import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { services } from '../../deploy/local/mesh.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { noFaults, Trial } from './trial.js';

const closing = new AsyncDisposableStack();
let started: TestMesh;
let mesh: RunningMesh;
beforeAll(async () => {
  const env = { SLUICE_DRAIN_SECONDS: '15' };
  started = closing.use(await TestMesh.start({ moreGateways: 1, moreWorkers: 1, env }));
  for (const service of ['auth', 'metadata', 'orchestrator', 'results'] as const) {
    await started.mesh.addInstance(service, '2');
  }
  mesh = closing.use(new RunningMesh(started.accessData));
});
afterAll(() => closing.disposeAsync());

describe('A rolling restart of every service, each running twice, under load', () => {
  test('is no error to any client, fails no execution and loses, repeats and leaves behind nothing', async () => {
    const trial = await Trial.begin({ name: 'rolling restart', mesh });
    for (const service of services) {
      for (const name of [service, `${service}-2`]) {
        await trial.outage(`restart of ${name}`, async () => {
          await started.mesh.child(name).stop();
          started.mesh.child(name).start();
          await started.mesh.waitForService(name);
        });
      }
    }
    const { faults, errors, counts } = await trial.end();
    expect(faults).toEqual(noFaults);
    expect(errors).toEqual([]);
    // Clients of gateways that went away came back.
    expect(counts['connections']).toBeGreaterThan(counts['subscribers'] ?? 0);
  });
});
