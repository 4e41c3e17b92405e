import type pg from 'pg';
import Cursor from 'pg-cursor';
import { Api, barePool } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { peakResidentMb } from './process-memory.ts';

const rowsWanted = 1_000_000;
const cursorRows = 5_000;

/** A large result to one subscriber: rows a second, and what worker and gateway hold of it at most. */
export async function benchRows(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const pool = await barePool(api, mesh, 1);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const count = Math.round(rowsWanted * scale);
    const rate: Round[] = [];
    const worker: Round[] = [];
    const gateway: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      // The number keeps each round's text, and so its run, apart.
      const sql = `select date, delay, distance, origin, destination, ${round} as round from flights limit ${count}`;
      const control = await timedRate(count, () => readBare(pool, sql));
      const ours = await timedRate(count, () => readPushed(api, sourceId, sql, count));
      rate.push({ ours, control });
      const own = process.memoryUsage.rss() / 2 ** 20;
      worker.push({ ours: peakResidentMb(mesh.pidOf('worker')), control: own });
      gateway.push({ ours: peakResidentMb(mesh.pidOf('gateway')), control: own });
      say(`  round ${round + 1}: ${ours.toFixed(0)} rows/s, control ${control.toFixed(0)}`);
    }
    const control = 'resident, this client';
    return {
      name: '1,000,000 rows to one subscriber',
      method,
      measures: [
        { name: 'rows through includeRows', unit: 'rows/s', control: 'bare cursor and JSON.stringify', rounds: rate },
        { name: 'worker, peak resident', unit: 'MB', control, rounds: worker, target: { of: 'ours', atMost: 250 } },
        { name: 'gateway, peak resident', unit: 'MB', control, rounds: gateway, target: { of: 'ours', atMost: 250 } },
      ],
    };
  } finally {
    await Promise.all([pool.end(), api.close()]);
  }
}

const method = `\`select … from flights limit 1000000\` on flights_pg, six columns, \`executionEvents(includeRows: true)\` over one WebSocket,
from submitting until SUCCEEDED, every row counted and in its place. The control reads the same rows by a node-postgres cursor of
${cursorRows} and makes JSON of each. Peaks are the process's own high-water marks (VmHWM) since it started, all rounds so far included.`;

export async function timedRate(count: number, read: () => Promise<number>): Promise<number> {
  const begun = performance.now();
  const rows = await read();
  if (rows !== count) throw new Error(`${rows} rows came of ${count}`);
  return count / ((performance.now() - begun) / 1_000);
}

async function readPushed(api: Api, sourceId: string, sql: string, count: number): Promise<number> {
  let rows = 0;
  await api.follow(await api.submit(sourceId, sql, { rows: count }), true, ({ page }) => {
    if (!page) return;
    if (page.offset !== rows) throw new Error(`rows from ${page.offset} came after ${rows} rows`);
    rows += page.rows.length;
  });
  return rows;
}

export async function readBare(pool: pg.Pool, sql: string): Promise<number> {
  const client = await pool.connect();
  try {
    const cursor = client.query(new Cursor<unknown[]>(sql, [], { rowMode: 'array' }));
    let rows = 0;
    let bytes = 0;
    for (let page = await cursor.read(cursorRows); page.length > 0; page = await cursor.read(cursorRows)) {
      for (const row of page) bytes += JSON.stringify(row).length;
      rows += page.length;
    }
    await cursor.close();
    if (bytes < rows) throw new Error('the rows are empty');
    return rows;
  } finally {
    client.release();
  }
}
