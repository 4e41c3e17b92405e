import type { TestProject } from 'vitest/node';
import { OtlpReceiver } from './otlp-receiver.js';
import { TestMesh } from './test-mesh.js';
import { makeTypeTables } from './type-tables.js';

let mesh: TestMesh | undefined;
let receiver: OtlpReceiver | undefined;

/** One installation for the whole e2e run, with two gateways and the flights: to start one for each file would take minutes. */
export async function setup(project: TestProject): Promise<void> {
  receiver = await OtlpReceiver.start();
  mesh = await TestMesh.start({
    moreGateways: 1,
    withFlights: true,
    env: { SLUICE_OTLP_URL: receiver.url },
  });
  await makeTypeTables(mesh.accessData.flightsDatabaseUrl, mesh.accessData.reader.user);
  project.provide('mesh', { ...mesh.accessData, spansUrl: receiver.url });
}

export async function teardown(): Promise<void> {
  await mesh?.stop();
  await receiver?.stop();
}
