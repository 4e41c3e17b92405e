import { Agent } from 'node:http';
import { Redis } from 'ioredis';
import type pg from 'pg';
import type { CapacityCosts } from '../../deploy/capacity/costs.ts';
import { post, oneAtATime, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import { cpuSeconds, residentMb } from './process-memory.ts';
import { median } from './statistics.ts';

export const services = ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results'] as const;
const processes = [...services, 'postgres', 'redis-broker', 'redis-cache'] as const;
const atOnce = 8;

interface Questions {
  readonly hit: Repeated;
  readonly run: () => Repeated;
}

/** What one question costs, of each kind: processor time by process, time alone, and bytes in PostgreSQL. */
export async function measureCosts(
  mesh: Installation,
  sluice: pg.Client,
  { hit, run }: Questions,
  counts: { hits: number; runs: number },
): Promise<{ costs: Omit<CapacityCosts, 'measured'>; clientCpuSeconds: { hit: number; run: number } }> {
  const ofHit = await costOf(mesh, sluice, () => hit, counts.hits);
  const before = await brokerInfo(mesh);
  const ofRun = await costOf(mesh, sluice, run, counts.runs);
  const after = await brokerInfo(mesh);
  const slotSeconds = await slotOverhead(sluice, counts.runs);
  return {
    costs: {
      cpuSeconds: { hit: ofHit.cpuSeconds, run: ofRun.cpuSeconds },
      aloneSeconds: { hit: ofHit.aloneSeconds, run: ofRun.aloneSeconds },
      slotOverheadSeconds: slotSeconds,
      postgresBytes: { hit: ofHit.postgresBytes, run: ofRun.postgresBytes },
      redis: {
        brokerBytes: before.bytes,
        brokerBytesPerRun: Math.max(0, Math.round((after.bytes - before.bytes) / (counts.runs * 1.5))),
        connectionsPerProcess: Math.ceil(after.clients / services.length),
      },
      memoryMb: Object.fromEntries(services.map((name) => [name, Math.ceil(residentMb(mesh.pidOf(name)))])),
    },
    clientCpuSeconds: { hit: ofHit.clientCpuSeconds, run: ofRun.clientCpuSeconds },
  };
}

/** Some are asked at once for the processor time, as few do not share what many do; alone for how long one takes. */
async function costOf(mesh: Installation, sluice: pg.Client, question: () => Repeated, count: number) {
  await manyAtOnce(question, Math.ceil(count / 4));
  const bytes = await databaseBytes(sluice);
  const before = processes.map((name) => cpuSeconds(mesh.pidOf(name)));
  const own = process.cpuUsage();
  await manyAtOnce(question, count);
  const client = process.cpuUsage(own);
  const spent = processes.map((name, index) => [name, (cpuSeconds(mesh.pidOf(name)) - (before[index] ?? 0)) / count]);
  const postgresBytes = ((await databaseBytes(sluice)) - bytes) / count;
  const alone: number[] = [];
  for (let n = 0; n < Math.ceil(count / 4); n += 1) alone.push(...(await oneAtATime(question(), 1)));
  return {
    // The entries are made of the names of the processes.
    cpuSeconds: Object.fromEntries(spent) as Record<(typeof processes)[number], number>,
    clientCpuSeconds: (client.user + client.system) / 1e6 / count,
    aloneSeconds: median(alone) / 1_000,
    postgresBytes: Math.max(0, Math.round(postgresBytes)),
  };
}

async function manyAtOnce(question: () => Repeated, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let left = count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await post(question(), agent);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, one));
  } finally {
    agent.destroy();
  }
}

async function brokerInfo(mesh: Installation): Promise<{ bytes: number; clients: number }> {
  const redis = new Redis(mesh.brokerSocket(), { password: mesh.secrets().redisPassword });
  try {
    const [memory, clients] = [await redis.info('memory'), await redis.info('clients')];
    const field = (text: string, name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(text)?.[1] ?? 0);
    return { bytes: field(memory, 'used_memory'), clients: field(clients, 'connected_clients') };
  } finally {
    redis.disconnect();
  }
}

async function databaseBytes(sluice: pg.Client): Promise<number> {
  const { rows } = await sluice.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(oid)) as bytes from pg_class
     where relkind = 'r' and relnamespace in (select oid from pg_namespace where nspname in ('orchestrator', 'results'))`,
  );
  return Number(rows[0]?.bytes ?? 0);
}

/** How long a run that takes no time at its source holds its slot: the last ones ran one at a time. */
async function slotOverhead(sluice: pg.Client, runs: number): Promise<number> {
  const { rows } = await sluice.query<{ seconds: number }>(
    `select percentile_cont(0.5) within group (order by extract(epoch from finished_at - dispatched_at))::float8 as seconds
     from (select * from orchestrator.run where state = 'SUCCEEDED' and dispatched_at is not null order by finished_at desc limit $1) r`,
    [Math.ceil(runs / 4)],
  );
  return rows[0]?.seconds ?? 0;
}
