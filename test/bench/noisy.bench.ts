import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { superuserUrl } from '../../deploy/local/postgres-server.ts';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';
import { newTenant, type Tenant } from './tenant.ts';

/** Of the one worker: a noisy tenant may hold six of them, so the quiet one's share is four. */
export const noisySlots = 10;
const noisyDepth = 10_000;
const fillers = 16;
/** Runs of 100 ms, one each 50 ms: two slots, half of the quiet one's share. */
const everyMs = 50;
const asked = 300;
const warmUp = 120;

/** A quiet tenant's wait and run beside one that has 10,000 waiting, and alone. */
export async function benchNoisy(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const admin = new Api(mesh);
  const { options } = await admin.source('flights_pg');
  const urlOf = (database: string): string =>
    superuserUrl(Number(options['port']), mesh.secrets().databasePassword, database);
  const sluice = new pg.Client(urlOf('sluice'));
  await sluice.connect();
  const tenants: Tenant[] = [];
  try {
    await makeSlowView(urlOf('flights'));
    const reader = { ...options, password: mesh.readerPassword() };
    const [quiet, noisy] = [await newTenant(mesh, sluice, reader), await newTenant(mesh, sluice, reader)];
    tenants.push(quiet, noisy);
    const took: Round[] = [];
    await p95(quiet, warmUp);
    for (let round = 0; round < rounds; round += 1) {
      const count = Math.ceil(asked * scale);
      const control = await p95(quiet, count);
      await makeNoise(mesh, noisy, Math.ceil(noisyDepth * scale));
      // Its share is not to be won back first, nor is the worker's waking to be measured.
      await p95(quiet, warmUp);
      const ours = await p95(quiet, count);
      const left = await waiting(sluice, noisy);
      await endNoise(sluice, noisy);
      if (left === 0) throw new Error('the noise was over before the quiet tenant was');
      took.push({ ours, control });
      say(`  round ${round + 1}: ${ours.toFixed(0)} ms beside ${left} that wait, ${control.toFixed(0)} ms alone`);
    }
    return {
      name: 'A noisy neighbour',
      method: `Two workspaces at one worker of ${noisySlots} slots. The quiet one asks a question of 100 ms each ${everyMs} ms, ${asked} of them by \`runQuery\` with
\`waitSeconds\`, from the call to the answer; that is half of the share that the noisy one leaves it. The noisy one has ${noisyDepth} of the same
waiting from before. The statements sleep at the source, so that only slots are short. The control is the same without the noise.`,
      measures: [
        {
          ...{ name: 'wait and run of the quiet tenant, p95', unit: 'ms', rounds: took },
          control: 'without the noise',
          target: { of: 'ratio', atMost: 1.2 },
        },
      ],
    };
  } finally {
    for (const { api } of tenants) await api.close();
    await sluice.end();
    await admin.close();
  }
}

/** What sleeps is a view, as no question may call such a function. */
async function makeSlowView(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query('create or replace view slow_100ms as select 1 as one from pg_sleep(0.1)');
  await client.query('grant select on slow_100ms to public');
  await client.end();
}

let number = Date.now();
const nextSql = (): string => `select one + ${(number += 1)} as n from slow_100ms`;

async function p95({ api, sourceId }: Tenant, count: number): Promise<number> {
  const took: Promise<number>[] = [];
  for (let n = 0; n < count; n += 1) {
    took.push(answered(api, sourceId));
    await wait(everyMs);
  }
  return percentile(await Promise.all(took), 0.95);
}

async function answered(api: Api, dataSourceId: string): Promise<number> {
  const begun = performance.now();
  const { runQuery } = await api.request<{ runQuery: { execution: { state: string } | null } }>(
    'mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { state } } }',
    { input: { query: { sql: { dataSourceId, text: nextSql() } }, cache: { maxAgeSeconds: 0 }, waitSeconds: 60 } },
  );
  if (runQuery.execution?.state !== 'SUCCEEDED') throw new Error('the quiet tenant was not answered');
  return performance.now() - begun;
}

/** Fills the queue of a worker that stands still, and lets it go on. */
async function makeNoise(mesh: Installation, noisy: Tenant, depth: number): Promise<void> {
  const worker = mesh.pidOf('worker');
  process.kill(worker, 'SIGSTOP');
  try {
    let left = depth;
    const fill = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await noisy.api.submit(noisy.sourceId, nextSql());
      }
    };
    await Promise.all(Array.from({ length: fillers }, fill));
  } finally {
    process.kill(worker, 'SIGCONT');
  }
}

/** What still waits would be the next round's noise. */
async function endNoise(sluice: pg.Client, { workspaceId }: Tenant): Promise<void> {
  await sluice.query(`delete from orchestrator.run where workspace_id = $1 and state = 'QUEUED'`, [workspaceId]);
}

async function waiting(sluice: pg.Client, { workspaceId }: Tenant): Promise<number> {
  const { rows } = await sluice.query<{ count: number }>(
    `select count(*)::int as count from orchestrator.run where workspace_id = $1 and state = 'QUEUED'`,
    [workspaceId],
  );
  return rows[0]?.count ?? 0;
}
