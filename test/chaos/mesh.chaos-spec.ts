import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { faults, type Fault } from './faults.js';
import { Random } from './random.js';
import { noFaults, Trial } from './trial.js';

// In `npm test` each fault comes once, in the order of faults.ts. `npm run chaos` sets SLUICE_CHAOS_LONG=1: all of them in
// chance order, again and again for SLUICE_CHAOS_SECONDS (900). SLUICE_CHAOS_SEED repeats the chance of an earlier run.
const isLong = process.env['SLUICE_CHAOS_LONG'] === '1';
const longRunMs = Number(process.env['SLUICE_CHAOS_SECONDS'] ?? 900) * 1_000;
const random = new Random(Number(process.env['SLUICE_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e9)));

let started: TestMesh;
let mesh: RunningMesh;
beforeAll(async () => {
  started = await TestMesh.start({ moreGateways: 1, moreWorkers: 1 });
  mesh = new RunningMesh(started.accessData);
});
afterAll(async () => {
  await mesh.close();
  await started.stop();
});

async function countKeys(): Promise<number> {
  const redis = new Redis(mesh.access.brokerUrl);
  try {
    return await redis.dbsize();
  } finally {
    redis.disconnect();
  }
}

function* plan(): Generator<Fault> {
  if (!isLong) return yield* faults;
  for (const endMs = Date.now() + longRunMs; Date.now() < endMs;) yield* random.shuffle(faults);
}

describe('Under load', () => {
  test('whatever is killed, stopped, flushed or restarted: each ends once, is told whole, and leaves nothing running', async () => {
    const keysBefore = await countKeys();
    const trial = await Trial.begin({ name: 'mesh', mesh, seed: random.seed });
    for (const fault of plan()) await trial.outage(fault.name, () => fault.inject(started));

    const { faults: broken, counts } = await trial.end();
    expect(broken).toEqual(noFaults);
    // A run in which nothing was hit would prove nothing.
    expect(counts['connections']).toBeGreaterThan(counts['subscribers'] ?? 0);
    expect(counts['tried again']).toBeGreaterThan(0);
    // Streams, groups and queues are as many as before; nothing is kept for each execution.
    expect(await countKeys()).toBeLessThan(keysBefore + 60);
  });
});
