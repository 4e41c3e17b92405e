import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { RunningMesh } from '../support/running-mesh.js';
import { newDataSource } from '../support/data-sources.js';
import { runToEnd } from '../support/executions.js';
import { unique } from '../support/slow-queries.js';
import { busyBackends, unfinishedRuns, untilQuiet } from '../support/source-activity.js';
import { TestMesh } from '../support/test-mesh.js';
import { faults, type Fault } from './faults.js';
import { Load } from './load.js';
import { Random } from './random.js';
import { countExecutions, judge, type Outage } from './verdict.js';

// In `npm test` each fault comes once, in the order of faults.ts. `npm run chaos` sets SLUICE_CHAOS_LONG=1: all of them in
// chance order, again and again for SLUICE_CHAOS_SECONDS (900). SLUICE_CHAOS_SEED repeats the chance of an earlier run.
const isLong = process.env['SLUICE_CHAOS_LONG'] === '1';
const longRunMs = Number(process.env['SLUICE_CHAOS_SECONDS'] ?? 900) * 1_000;
const random = new Random(Number(process.env['SLUICE_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e9)));
const inFlight = 60;

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

const note = (line: string): void => void process.stdout.write(`  ${line}\n`);

async function countKeys(): Promise<number> {
  const redis = new Redis(mesh.access.brokerUrl);
  try {
    return await redis.dbsize();
  } finally {
    redis.disconnect();
  }
}

/** Waits until there is something to hurt; the states of the unfinished runs, for the reader of the protocol. */
function untilBusy(load: Load): Promise<string> {
  return until(
    async () => {
      const { rows } = await mesh.sluice.query<{ state: string; count: number }>(
        'select state, count(*)::int as count from orchestrator.run where finished_at is null group by state order by state',
      );
      const running = rows.find(({ state }) => state === 'RUNNING')?.count ?? 0;
      return load.inFlight >= 50 && running >= 4 && rows.map(({ state, count }) => `${count} ${state}`).join(', ');
    },
    { what: '50 executions in flight, 4 of them running' },
  );
}

/** Breaks one thing under full load and waits until the load flows again. */
async function breakOnce(fault: Fault, load: Load): Promise<Outage> {
  const states = await untilBusy(load);
  const fromMs = Date.now();
  const finishedBefore = load.finishedCount;
  await fault.inject(started);
  const toMs = Date.now();
  await until(() => load.finishedCount >= finishedBefore + 15, {
    timeoutMs: 60_000,
    what: `15 more answers behind: ${fault.name}`,
  });
  note(`${fault.name} (${states}): mended after ${toMs - fromMs} ms, 15 more answers ${Date.now() - toMs} ms later`);
  return { name: fault.name, fromMs, toMs };
}

function* plan(): Generator<Fault> {
  if (!isLong) return yield* faults;
  for (const endMs = Date.now() + longRunMs; Date.now() < endMs;) yield* random.shuffle(faults);
}

describe('With 60 executions in flight', () => {
  test('whatever is killed, stopped, flushed or restarted: each ends once, is told whole, and leaves nothing running', async () => {
    note(`seed ${random.seed}`);
    const { id: sourceId } = await newDataSource(
      mesh.admin,
      'postgres',
      { ...mesh.access.reader, ssl: { mode: 'disable' } },
      { maxConcurrentExecutions: 16 },
    );
    expect((await runToEnd(mesh.admin, sourceId, unique('select 1'))).state).toBe('SUCCEEDED');
    const keysBefore = await countKeys();
    const load = new Load({ client: mesh.admin, gateways: mesh.access.gateways, sourceId, inFlight, random });
    const outages: Outage[] = [];
    load.start();
    try {
      for (const fault of plan()) outages.push(await breakOnce(fault, load));
    } finally {
      await load.drain(60_000);
    }

    const summary = await judge(mesh, load.asked, outages);
    note(JSON.stringify({ ...summary, faults: summary.faults.length }, null, 2).replaceAll('\n', '\n  '));
    summary.faults.slice(0, 40).forEach(note);
    expect(summary.faults).toEqual([]);
    // A run in which nothing was hit would prove nothing.
    expect(summary.connections).toBeGreaterThan(summary.executions);
    expect(summary.retried).toBeGreaterThan(0);
    expect(load.refusals).toEqual([]);
    expect(await countExecutions(mesh, `chaos-${random.seed}-`)).toBe(load.asked.length);

    await untilQuiet(mesh).catch(() => undefined);
    expect({ runs: await unfinishedRuns(mesh), backends: await busyBackends(mesh) }).toEqual({
      runs: [],
      backends: [],
    });
    // Streams, groups and queues are as many as before; nothing is kept for each execution.
    expect(await countKeys()).toBeLessThan(keysBefore + 60);
  });
});
