import type pg from 'pg';
import Cursor from 'pg-cursor';
import { Api, barePool } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { cpuSeconds, peakResidentMb } from './process-memory.ts';

const rowsWanted = 1_000_000;
const rowsWantedInFull = 5_000_000;
const cursorRows = 5_000;

/** Whose processor seconds are told: all that a row passes on its way, but for the driver of the bench. */
const passed = ['worker', 'results', 'gateway', 'orchestrator', 'redis-broker', 'postgres'] as const;

/** A large result to one subscriber: rows a second, how soon the first come, and what worker and gateway hold at most. */
export async function benchRows(mesh: Installation, effort: Effort, say: Say): Promise<BenchResult> {
  const { rounds, scale } = effort;
  const api = new Api(mesh);
  const pool = await barePool(api, mesh, 1);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const count = Math.round((effort.isFull ? rowsWantedInFull : rowsWanted) * scale);
    const rate: Round[] = [];
    const first: Round[] = [];
    const worker: Round[] = [];
    const gateway: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const sql = tenColumns(count, round);
      const bare = await timed(() => readBare(pool, sql), count);
      const before = processorSeconds(mesh);
      const pushed = await timed(() => readPushed(api, sourceId, sql, count), count);
      rate.push({ ours: pushed.rowsPerSecond, control: bare.rowsPerSecond });
      first.push({ ours: pushed.firstMs, control: bare.firstMs });
      const own = process.memoryUsage.rss() / 2 ** 20;
      worker.push({ ours: peakResidentMb(mesh.pidOf('worker')), control: own });
      gateway.push({ ours: peakResidentMb(mesh.pidOf('gateway')), control: own });
      say(
        `  round ${round + 1}: ${pushed.rowsPerSecond.toFixed(0)} rows/s, control ${bare.rowsPerSecond.toFixed(0)}; first rows ${pushed.firstMs.toFixed(0)} ms; processor seconds: ${spent(mesh, before)}`,
      );
    }
    const control = 'resident, this client';
    return {
      name: `${count.toLocaleString('en-US')} rows of 10 columns to one subscriber`,
      method,
      measures: [
        {
          name: 'rows through includeRows',
          unit: 'rows/s',
          control: 'bare cursor and JSON.stringify',
          rounds: rate,
          target: { of: 'ratio', atLeast: 0.6 },
        },
        {
          name: 'first rows at the subscriber',
          unit: 'ms',
          control: 'first batch of the bare cursor',
          rounds: first,
          target: { of: 'ours', atMost: 300 },
        },
        { name: 'worker, peak resident', unit: 'MB', control, rounds: worker, target: { of: 'ours', atMost: 250 } },
        { name: 'gateway, peak resident', unit: 'MB', control, rounds: gateway, target: { of: 'ours', atMost: 250 } },
      ],
    };
  } finally {
    await Promise.all([pool.end(), api.close()]);
  }
}

const method = `Ten columns of the flights on flights_pg (two timestamps, four integers, two texts, a float, a boolean; \`--full\` asks for
5,000,000 rows instead of 1,000,000), \`executionEvents(includeRows: true)\` over one WebSocket, from submitting until SUCCEEDED, every row
counted and in its place. The control reads the same rows by a node-postgres cursor of ${cursorRows} with its default types and makes JSON
of each. Peaks are the process's own high-water marks (VmHWM) since it started, all rounds so far included.`;

/** The number keeps each round's text, and so its run, apart. */
function tenColumns(count: number, round: number): string {
  return `select date, delay, distance, origin, destination, date + delay * interval '1 minute' as arrived,
    distance * 1.609344::float8 as kilometers, delay > 15 as late, length(origin) as letters, ${round} as round
    from (select * from flights union all select * from flights) f limit ${count}`;
}

interface Reading {
  rows: number;
  /** When the first of them were there. */
  firstAt: number;
}

async function timed(read: () => Promise<Reading>, count: number): Promise<{ rowsPerSecond: number; firstMs: number }> {
  const begun = performance.now();
  const { rows, firstAt } = await read();
  if (rows !== count) throw new Error(`${rows} rows came of ${count}`);
  return { rowsPerSecond: count / ((performance.now() - begun) / 1_000), firstMs: firstAt - begun };
}

async function readPushed(api: Api, sourceId: string, sql: string, count: number): Promise<Reading> {
  let rows = 0;
  let firstAt = 0;
  await api.follow(await api.submit(sourceId, sql, { rows: count }), true, ({ page }) => {
    if (!page) return;
    if (rows === 0) firstAt = performance.now();
    if (page.offset !== rows) throw new Error(`rows from ${page.offset} came after ${rows} rows`);
    rows += page.rows.length;
  });
  return { rows, firstAt };
}

async function readBare(pool: pg.Pool, sql: string): Promise<Reading> {
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
