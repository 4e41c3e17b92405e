import type pg from 'pg';
import Cursor from 'pg-cursor';
import { Api, barePool } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Measure, Round } from './measure.ts';
import { cpuSeconds, largestPeakMb, peakResidentMb } from './process-memory.ts';

const rowsWanted = 1_000_000;
const rowsWantedInFull = 5_000_000;
const cursorRows = 5_000;
/** Longer than the source takes for all of its rows. */
const stillMs = 5_000;

/** Whose processor seconds are told: all that a row passes on its way, but for the driver of the bench. */
const passed = ['worker', 'results', 'gateway', 'orchestrator', 'redis-broker', 'postgres'] as const;

interface Found {
  rate: Round[];
  first: Round[];
  worker: Round[];
  gateway: Round[];
  others: Round[];
  behindSlow: Round[];
}

/** A large result to one subscriber: rows a second, how soon the first come, and what the services hold at most. */
export async function benchRows(mesh: Installation, effort: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const pool = await barePool(api, mesh, 1);
  const count = rowsOf(effort);
  const found: Found = { rate: [], first: [], worker: [], gateway: [], others: [], behindSlow: [] };
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const pushed = (round: number, onFirst?: () => void) =>
      timed(() => readPushed(api, sourceId, tenColumns(count, round), count, onFirst), count);
    for (let round = 0; round < effort.rounds; round++) {
      const bare = await timed(() => readBare(pool, tenColumns(count, round)), count);
      const before = processorSeconds(mesh);
      const ours = await pushed(round);
      found.rate.push({ ours: ours.rowsPerSecond, control: bare.rowsPerSecond });
      found.first.push({ ours: ours.firstMs, control: bare.firstMs });
      const own = process.memoryUsage.rss() / 2 ** 20;
      found.worker.push({ ours: peakResidentMb(mesh.pidOf('worker')), control: own });
      found.gateway.push({ ours: peakResidentMb(mesh.pidOf('gateway')), control: own });
      found.others.push({ ours: largestPeakMb(mesh, ['worker', 'gateway']), control: own });
      const [rate, control] = [ours.rowsPerSecond, bare.rowsPerSecond].map((each) => each.toFixed(0));
      say(`  round ${round + 1}: ${rate} rows/s, control ${control}; first rows after ${ours.firstMs.toFixed(0)} ms`);
      say(`    processor seconds: ${spent(mesh, before)}`);
    }
    // What a subscriber does not read stays in the store, and comes when it goes on.
    await pushed(effort.rounds, () => api.standStill(stillMs));
    const peak = found.gateway.at(-1)?.ours ?? 0;
    found.behindSlow.push({ ours: peakResidentMb(mesh.pidOf('gateway')), control: peak });
  } finally {
    await Promise.all([pool.end(), api.close()]);
  }
  return {
    name: `${count.toLocaleString('en-US')} rows of 10 columns to one subscriber`,
    method,
    measures: measuresOf(found),
  };
}

function measuresOf({ rate, first, worker, gateway, others, behindSlow }: Found): Measure[] {
  const rows = 'bare cursor and JSON.stringify';
  const resident = { unit: 'MB', target: { of: 'ours', atMost: 250 } } as const;
  const client = 'resident, this client';
  return [
    {
      ...{ name: 'rows through includeRows', unit: 'rows/s', control: rows, rounds: rate },
      target: { of: 'ratio', atLeast: 0.6 },
    },
    {
      ...{ name: 'first rows at the subscriber', unit: 'ms', control: 'first batch of the bare cursor', rounds: first },
      target: { of: 'ours', atMost: 300 },
    },
    { name: 'worker, peak resident', control: client, rounds: worker, ...resident },
    { name: 'gateway, peak resident', control: client, rounds: gateway, ...resident },
    { name: 'largest of the other services, peak resident', control: client, rounds: others, ...resident },
    {
      ...{ name: 'gateway, peak resident, after a subscriber that stood still', control: 'its peak before' },
      ...{ rounds: behindSlow, ...resident },
    },
  ];
}

const method = `Ten columns of the flights on flights_pg (two timestamps, four integers, two texts, a float, a boolean; \`--full\` asks for
5,000,000 rows instead of 1,000,000), \`executionEvents(includeRows: true)\` over one WebSocket, from submitting until SUCCEEDED, every row
counted and in its place. The control reads the same rows by a node-postgres cursor of ${cursorRows} with its default types and makes JSON
of each. Peaks are the process's own high-water marks (VmHWM) since it started, all rounds so far included; at the end
one more subscriber reads nothing for ${stillMs / 1_000} s while all of its rows come.`;

export function rowsOf({ isFull, scale }: Effort): number {
  return Math.round((isFull ? rowsWantedInFull : rowsWanted) * scale);
}

/** The number keeps each round's text, and so its run, apart. */
export function tenColumns(count: number, round: number): string {
  return `select date, delay, distance, origin, destination, date + delay * interval '1 minute' as arrived,
    distance * 1.609344::float8 as kilometers, delay > 15 as late, length(origin) as letters, ${round} as round
    from (select * from flights union all select * from flights) f limit ${count}`;
}

export interface Reading {
  rows: number;
  /** When the first of them were there. */
  firstAt: number;
}

export async function timed(
  read: () => Promise<Reading>,
  count: number,
): Promise<{ rowsPerSecond: number; firstMs: number }> {
  const begun = performance.now();
  const { rows, firstAt } = await read();
  if (rows !== count) throw new Error(`${rows} rows came of ${count}`);
  return { rowsPerSecond: count / ((performance.now() - begun) / 1_000), firstMs: firstAt - begun };
}

async function readPushed(
  api: Api,
  sourceId: string,
  sql: string,
  count: number,
  onFirst: () => void = () => undefined,
): Promise<Reading> {
  let rows = 0;
  let firstAt = 0;
  await api.follow(await api.submit(sourceId, sql, { rows: count }), true, ({ page }) => {
    if (!page) return;
    if (rows === 0) {
      firstAt = performance.now();
      onFirst();
    }
    if (page.offset !== rows) throw new Error(`rows from ${page.offset} came after ${rows} rows`);
    rows += page.rows.length;
  });
  return { rows, firstAt };
}

export async function readBare(pool: pg.Pool, sql: string): Promise<Reading> {
  const client = await pool.connect();
  try {
    const cursor = client.query(new Cursor<unknown[]>(sql, [], { rowMode: 'array' }));
    let rows = 0;
    let bytes = 0;
    let firstAt = 0;
    for (let page = await cursor.read(cursorRows); page.length > 0; page = await cursor.read(cursorRows)) {
      if (rows === 0) firstAt = performance.now();
      for (const row of page) bytes += JSON.stringify(row).length;
      rows += page.length;
    }
    await cursor.close();
    if (bytes < rows) throw new Error('the rows are empty');
    return { rows, firstAt };
  } finally {
    client.release();
  }
}

/** Of each process that has a row in its hands, and of this one. */
function processorSeconds(mesh: Installation): Map<string, number> {
  const known = passed.filter((name) => mesh.processNames.includes(name));
  const { user, system } = process.cpuUsage();
  return new Map([
    ...known.map((name): [string, number] => [name, cpuSeconds(mesh.pidOf(name))]),
    ['this client', (user + system) / 1e6],
  ]);
}

function spent(mesh: Installation, before: ReadonlyMap<string, number>): string {
  return [...processorSeconds(mesh)]
    .map(([name, seconds]) => `${name} ${(seconds - (before.get(name) ?? 0)).toFixed(2)}`)
    .join(', ');
}
