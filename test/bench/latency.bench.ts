import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { Api, barePool } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { countProcessorTime, describeProcessorMs } from './processor-time.ts';
import { percentile } from './statistics.ts';

const perSecond = 50;
const roundSeconds = 10;

/** From submitting a query to hearing that it has succeeded, at 50 new queries a second. */
export async function benchLatency(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const pool = await barePool(api, mesh, 16);
  try {
    const { id: sourceId } = await api.source('flights_pg');
    const ask = (sql: string) => askPushed(api, sourceId, sql);
    const askBare = (sql: string) => askDriver(pool, sql);
    const count = Math.round(perSecond * roundSeconds * scale);
    // Connections, plans and compiled code are warm in both.
    await atRate(askBare, perSecond);
    await atRate(ask, count);
    const p50: Round[] = [];
    const p99: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const bare = await atRate(askBare, count);
      const spent = countProcessorTime(mesh);
      const ours = await atRate(ask, count);
      const processes = spent(count);
      const control = percentile(bare, 0.5);
      p50.push({ ours: percentile(ours, 0.5), control });
      p99.push({ ours: percentile(ours, 0.99), control });
      say(
        `  round ${round + 1}: p50 ${percentile(ours, 0.5).toFixed(1)} ms, p99 ${percentile(ours, 0.99).toFixed(1)} ms`,
      );
      say(`    ${describeProcessorMs(processes)}`);
    }
    const control = 'p50 of the bare driver';
    return {
      name: 'One small query, pushed',
      method,
      measures: [
        {
          name: 'submit to SUCCEEDED, p50',
          unit: 'ms',
          control,
          rounds: p50,
          target: { of: 'difference', atMost: 10 },
        },
        {
          name: 'submit to SUCCEEDED, p99',
          unit: 'ms',
          control,
          rounds: p99,
          target: { of: 'difference', atMost: 50 },
        },
      ],
    };
  } finally {
    await Promise.all([pool.end(), api.close()]);
  }
}

const method = `${perSecond} queries a second for ${roundSeconds} s a round, begun on time whether or not those before have ended. Each is a text of
its own, so none shares a run: \`runQuery\` over HTTP, then \`executionEvents\` over one WebSocket until SUCCEEDED has been
heard. The control is the same query by node-postgres on the same database at the same rate; its p50 is taken off both.`;

let asked = 0;

/** Ten rows by primary key; the number makes each text different. */
function nextSql(): string {
  asked += 1;
  return `select iata, name, city, state from airports where iata >= 'A' and latitude > ${(asked % 90) - 45}.${asked} limit 10`;
}

/** Milliseconds of each of \`count\` questions. */
async function atRate(ask: (sql: string) => Promise<void>, count: number): Promise<number[]> {
  const begun = performance.now();
  const answers: Promise<number>[] = [];
  for (let index = 0; index < count; index++) {
    await wait(Math.max(begun + (index * 1_000) / perSecond - performance.now(), 0));
    const answer = timed(ask);
    // Told below, when all have been asked.
    answer.catch(() => undefined);
    answers.push(answer);
  }
  return Promise.all(answers);
}

async function timed(ask: (sql: string) => Promise<void>): Promise<number> {
  const sql = nextSql();
  const begun = performance.now();
  await ask(sql);
  return performance.now() - begun;
}

async function askPushed(api: Api, sourceId: string, sql: string): Promise<void> {
  await api.follow(await api.submit(sourceId, sql), false, () => undefined);
}

async function askDriver(pool: pg.Pool, sql: string): Promise<void> {
  const { rowCount } = await pool.query(sql);
  if (rowCount === null || rowCount > 10) throw new Error(`${rowCount} rows`);
}
