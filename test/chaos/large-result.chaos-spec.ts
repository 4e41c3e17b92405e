import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, downloaded, type DownloadFormat } from '../support/downloads.js';
import { executionEvents } from '../support/execution-events.js';
import { readPage, run, runToEnd, untilFinal } from '../support/executions.js';
import { RunningMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { TestMesh } from '../support/test-mesh.js';

// By itself 200 MB; `npm run chaos` sets SLUICE_CHAOS_LONG=1 and makes it 2 GB.
const isLong = process.env['SLUICE_CHAOS_LONG'] === '1';
const rowCount = isLong ? 7_500_000 : 750_000;
const residentMbMax = 350;
const formats = ['CSV', 'JSON', 'ARROW', 'PARQUET', 'XLSX'] as const;
/** A workbook of it takes many minutes of a processor. */
const longFormats = ['CSV', 'ARROW', 'PARQUET'] as const;
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

let started: TestMesh;
let mesh: RunningMesh;

beforeAll(async () => {
  // A gateway that keeps no pages and a heap of 256 MB: what holds a result whole dies of it.
  started = await TestMesh.start({
    env: { NODE_OPTIONS: '--max-old-space-size=256', SLUICE_GATEWAY_PAGE_CACHE_BYTES_MAX: '0' },
  });
  mesh = new RunningMesh(started.accessData);
});

afterAll(async () => {
  await mesh.close();
  await started.stop();
});

/** What a process resides in (VmRSS), or the most that it ever did (VmHWM), in MB. */
function residentMb(name: string, what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${started.mesh.child(name).pid}/status`, 'utf8');
  return Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024;
}

/** How many bytes a file has, of which nothing is kept. */
async function sizeOf(id: string, format: DownloadFormat): Promise<number> {
  const response = await fetch(await addressOf(mesh.admin, id, { format }));
  expect(response.status).toBe(200);
  let bytes = 0;
  for await (const piece of response.body ?? []) bytes += piece.length;
  return bytes;
}

/** Follows all rows of a result; @returns how many came, each in its place */
async function pushedRows(id: string): Promise<number> {
  let rows = 0;
  for await (const { page } of executionEvents(mesh.admin, { id, includeRows: true })) {
    if (!page) continue;
    expect(Number(page.rows.at(0)?.at(0))).toBe(rows + 1);
    rows += page.rows.length;
  }
  return rows;
}

describe(`A result of ${isLong ? '2 GB' : '200 MB'}`, () => {
  test('is written, read, pushed and downloaded in services with a heap of 256 MB, and none of them grows with it', async () => {
    const { id: sourceId } = await mesh.source('flights_pg');
    const text = unique(`select i, repeat(md5(i::text), 8) as digest from generate_series(1, ${rowCount}) t(i)`);
    const limits = { rows: rowCount, bytes: 2 ** 31, timeoutSeconds: 1_200 };
    const { id } = await run(mesh.admin, sourceId, text, { limits });
    const execution = await untilFinal(mesh.admin, id, isLong ? 1_200_000 : 120_000);
    expect(execution).toMatchObject({ state: 'SUCCEEDED', result: { rowCount, truncated: false } });
    expect(execution.progress.bytes).toBeGreaterThan(rowCount * 256);
    for (const offset of [0, Math.floor(rowCount / 2), rowCount - 10]) {
      const { rows } = await readPage(mesh.admin, id, { first: 10, offset });
      expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 10 }, (_, at) => offset + at + 1));
      for (const [number, digest] of rows) expect(digest).toBe(md5(String(number)).repeat(8));
    }
    expect(await pushedRows(id)).toBe(rowCount);
    for (const format of isLong ? longFormats : formats) expect(await sizeOf(id, format)).toBeGreaterThan(rowCount);
    const peaks = ['worker', 'results', 'gateway'].map(
      (name) => [name, Math.round(residentMb(name, 'VmHWM'))] as const,
    );
    process.stdout.write(`  peak resident: ${peaks.map(([name, mb]) => `${name} ${mb} MB`).join(', ')}\n`);
    for (const [, mb] of peaks) expect(mb).toBeLessThan(residentMbMax);
  });
});

describe('A result of 100,000 rows', () => {
  test('is downloaded in every format again and again, and the gateway holds no more of it than before', async () => {
    const { id } = await mesh.source('flights');
    const count = 100_000;
    const text = `select i, i * 1.25 as d, md5(i::varchar) as m, timestamp '2000-01-01' + to_seconds(i) as t from range(${count}) r(i)`;
    const execution = await runToEnd(mesh.admin, id, unique(text), { limits: { rows: count } });
    expect(execution.result?.rowCount).toBe(count);
    const takeAll = async (): Promise<number> => {
      let bytes = 0;
      for (const format of formats) {
        bytes += (await downloaded(mesh.admin, execution.id, { format })).length;
      }
      return bytes;
    };
    // The first of each format loads its library.
    await takeAll();
    const before = residentMb('gateway', 'VmRSS');
    let takenBytes = 0;
    for (let round = 0; round < 6; round += 1) takenBytes += await takeAll();
    expect(takenBytes).toBeGreaterThan(90_000_000);
    expect(residentMb('gateway', 'VmRSS') - before).toBeLessThan(takenBytes / 2 ** 20 / 2);
  });
});
