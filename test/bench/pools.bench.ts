import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { superuserUrl } from '../../deploy/local/postgres-server.ts';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { post, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { newTenant, type Tenant } from './tenant.ts';

export const slotsPerWorker = 4;
const sizes = [1, 2, 4] as const;
const sleepSeconds = 1;
const roundSeconds = 15;
const view = 'slow_1s';
/** A workspace that began a run within a minute leaves others no more than their share of the slots. */
const aloneAfterMs = 62_000;

/** Runs a second of 1, 2 and 4 workers at a source that makes them wait. */
export async function benchPools(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const admin = new Api(mesh);
  const { options } = await admin.source('flights_pg');
  const urlOf = (database: string): string =>
    superuserUrl(Number(options['port']), mesh.secrets().databasePassword, database);
  const sluice = new pg.Client(urlOf('sluice'));
  await sluice.connect();
  const workers: { stop(): Promise<void> }[] = [];
  try {
    await makeSlowView(urlOf('flights'));
    const tenant = await newTenant(mesh, sluice, { ...options, password: mesh.readerPassword() });
    say('  waits a minute, until whoever asked before does not count any more');
    await wait(aloneAfterMs);
    const perSecond = new Map<number, number[]>();
    for (const size of sizes) {
      while (workers.length < size - 1) workers.push(await startWorker(mesh, workers.length + 2));
      await runsPerSecond(mesh, tenant, size, 3);
      const found: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        found.push(await runsPerSecond(mesh, tenant, size, roundSeconds * scale));
        say(`  ${size} workers, round ${round + 1}: ${found.at(-1)?.toFixed(2)} runs/s`);
      }
      perSecond.set(size, found);
    }
    await tenant.api.close();
    return {
      name: 'Worker pools at a source that waits',
      method,
      measures: sizes.slice(1).map((size) => measureOf(size, perSecond)),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await sluice.end();
    await admin.close();
  }
}

const method = `Runs of ${sleepSeconds} s that wait at the source (pg_sleep), twice as many asked at once as there are slots, at 1, 2 and 4 workers of
${slotsPerWorker} slots each, for ${roundSeconds} s a round. The control is what one worker did in its round, times the number of workers.`;

function measureOf(size: number, perSecond: ReadonlyMap<number, readonly number[]>) {
  const one = perSecond.get(1) ?? [];
  const rounds: Round[] = (perSecond.get(size) ?? []).map((ours, round) => ({
    ours,
    control: (one[round] ?? 0) * size,
  }));
  const target = { of: 'ratio', atLeast: 0.9 } as const;
  return { name: `${size} workers`, unit: 'runs/s', control: `${size} times one worker`, rounds, target };
}

/** Counts what ends within the time, after a second in which the slots fill. */
async function runsPerSecond(mesh: Installation, tenant: Tenant, workers: number, seconds: number): Promise<number> {
  const begun = performance.now();
  const [from, until] = [begun + 2_000, begun + 2_000 + seconds * 1_000];
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  let count = 0;
  const asker = async (): Promise<void> => {
    while (performance.now() < until) {
      await post(question(mesh, tenant), agent);
      if (performance.now() >= from && performance.now() < until) count += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: 2 * workers * slotsPerWorker }, asker));
  } finally {
    agent.destroy();
  }
  return count / seconds;
}

let number = Date.now();

function question({ access }: Installation, { sourceId, api }: Tenant): Repeated {
  const query =
    'mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { state } errors { message } } }';
  const text = `select one + ${(number += 1)} as n from ${view}`;
  const input = { query: { sql: { dataSourceId: sourceId, text } }, cache: { maxAgeSeconds: 0 }, waitSeconds: 60 };
  return {
    url: access.graphqlUrl,
    headers: { authorization: `Key ${api.apiKey}` },
    body: JSON.stringify({ query, variables: { input } }),
    check: (answer) => {
      if (!answer.includes('"state":"SUCCEEDED"')) throw new Error(`not answered: ${answer.slice(0, 300)}`);
    },
  };
}

/** What sleeps is a view, as no question may call such a function. */
async function makeSlowView(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`create or replace view ${view} as select 1 as one from pg_sleep(${sleepSeconds})`);
  await client.query(`grant select on ${view} to public`);
  await client.end();
}

/** One more worker, with the settings of the one that the installation has. */
async function startWorker(mesh: Installation, index: number): Promise<{ stop(): Promise<void> }> {
  const text = readFileSync(`/proc/${mesh.pidOf('worker')}/environ`, 'utf8');
  const pairs = text
    .split('\0')
    .flatMap((line) =>
      line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [],
    );
  const env = {
    // Each line is a name and a value.
    ...(Object.fromEntries(pairs) as Record<string, string>),
    ...{ SLUICE_WORKER_INSTANCE: `worker-bench-${index}`, SLUICE_WORKER_METRICS_PORT: '0' },
  };
  const child = spawn(process.execPath, ['dist/services/worker/src/main.js'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // Until it has told of its slots.
  await wait(8_000);
  return {
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
