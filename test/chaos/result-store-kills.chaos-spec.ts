import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { hasS3Server, S3Server, until } from '#libs/testing';
import type { Execution } from '../support/api-types.js';
import { addressOf, downloaded } from '../support/downloads.js';
import { getExecution, run, runToEnd, untilFinal, untilState } from '../support/executions.js';
import { RunningMesh } from '../support/running-mesh.js';
import { manyRowsQuery, slowRowsQuery } from '../support/slow-queries.js';
import { TestMesh } from '../support/test-mesh.js';
import { countRightRows } from './right-rows.js';

// In `npm test` the store is a directory. `npm run chaos` sets SLUICE_CHAOS_LONG=1: then S3 has its turn, too.
const isLong = process.env['SLUICE_CHAOS_LONG'] === '1';
const stores = isLong && hasS3Server ? (['a directory', 'S3'] as const) : (['a directory'] as const);

/** Some 2 MB as stored, in pages. */
const pagedCount = 50_000;
/** More, as a CSV, than the buffers between a gateway and who downloads it. */
const downloadCount = 600_000;

let started: TestMesh;
let mesh: RunningMesh;
let sourceId = '';

async function killAndStart(service: 'worker' | 'results' | 'gateway'): Promise<void> {
  await started.mesh.child(service).kill();
  started.mesh.child(service).start();
  await started.mesh.waitForService(service);
}

/** What a run has come to when something was killed under it: all its rows, or a failure and rows from the first on. */
async function outcomeOf(execution: Execution, count: number): Promise<string> {
  const { state, result } = await getExecution(mesh.admin, execution.id);
  const rows = result ? await countRightRows(mesh.admin, execution) : 0;
  if (rows !== (result?.rowCount ?? 0)) return `${rows} rows are read of ${result?.rowCount}`;
  if (state === 'SUCCEEDED') return result?.state === 'COMPLETE' && rows === count ? 'whole' : `${rows} of ${count}`;
  return state === 'FAILED' && (!result || result.state === 'PARTIAL') ? 'failed' : `${state}, ${result?.state}`;
}

/** What comes of a download until its gateway is killed under it, and what it can be resumed by. */
async function brokenDownload(address: string): Promise<{ bytes: Buffer; etag: string }> {
  const response = await fetch(address, { headers: { 'accept-encoding': 'identity' } });
  const chunks: Uint8Array[] = [];
  const killed = delay(50).then(() => killAndStart('gateway'));
  const reading = (async () => {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      await delay(5);
    }
  })();
  await expect(reading).rejects.toThrow(/terminated/);
  await killed;
  return { bytes: Buffer.concat(chunks), etag: response.headers.get('etag') ?? '' };
}

describe.each(stores)('With its results in %s', (store) => {
  let s3: S3Server | undefined;

  beforeAll(async () => {
    if (store === 'S3') s3 = await S3Server.start();
    // Without pages in memory every read is one of the store.
    const env = { SLUICE_GATEWAY_PAGE_CACHE_BYTES_MAX: '0', ...s3?.settings };
    started = await TestMesh.start({ env, moreGateways: 1 });
    mesh = new RunningMesh(started.accessData);
    sourceId = (await mesh.source('flights_pg')).id;
  });

  afterAll(async () => {
    await mesh.close();
    await started.stop();
    await s3?.[Symbol.asyncDispose]();
  });

  test('R12: kill -9 while pages are written leaves the rows that could be read, and no others', async () => {
    const writing = await run(mesh.admin, sourceId, slowRowsQuery(20_000, 30_000).text);
    const { result } = await untilState(mesh.admin, writing.id, (seen) => (seen.result?.rowCount ?? 0) > 0);
    await killAndStart('worker');
    const failed = await untilFinal(mesh.admin, writing.id);
    expect(failed).toMatchObject({ state: 'FAILED', error: { code: 'WORKER_LOST' } });
    expect(await countRightRows(mesh.admin, failed)).toBeGreaterThanOrEqual(result?.rowCount ?? 0);
    expect(await outcomeOf(failed, 20_000)).toBe('failed');
  });

  test.each(['worker', 'results'] as const)(
    'R12: kill -9 of the %s while results are sealed leaves each whole or failed, never in between',
    async (service) => {
      const text = (): string => manyRowsQuery(pagedCount).text;
      const runs = await Promise.all(Array.from({ length: 6 }, () => run(mesh.admin, sourceId, text())));
      await until(
        async () => {
          const all = await Promise.all(runs.map(({ id }) => getExecution(mesh.admin, id)));
          return all.some(({ result }) => (result?.rowCount ?? 0) > pagedCount / 2);
        },
        { what: 'a result that is about to be sealed', intervalMs: 5, timeoutMs: 30_000 },
      );
      await killAndStart(service);
      for (const each of runs) {
        await untilFinal(mesh.admin, each.id, 60_000);
        expect(await outcomeOf(each, pagedCount)).toMatch(/^(whole|failed)$/);
      }
    },
  );

  test('R12: kill -9 of a gateway that is reading costs its readers their answer, and no row', async () => {
    const sealed = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount).text);
    const before = await Promise.all(Array.from({ length: 8 }, () => countRightRows(mesh.admin, sealed)));
    const reading = Promise.allSettled(Array.from({ length: 8 }, () => countRightRows(mesh.admin, sealed)));
    await delay(50);
    await killAndStart('gateway');
    const outcomes = await reading;
    const read = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    // Had all been through by then, nothing would have been killed in the middle.
    expect(read.length).toBeLessThan(outcomes.length);
    expect([...before, ...read].filter((count) => count !== pagedCount)).toEqual([]);
    expect(await countRightRows(mesh.admin, sealed)).toBe(pagedCount);
  });

  test('R12: kill -9 of a gateway in mid-download breaks it visibly, and another gateway goes on at the same byte', async () => {
    const sealed = await runToEnd(mesh.admin, sourceId, manyRowsQuery(downloadCount).text);
    const whole = await downloaded(mesh.admin, sealed.id, { format: 'CSV' });
    const address = new URL(await addressOf(mesh.admin, sealed.id, { format: 'CSV' }));
    const { bytes, etag } = await brokenDownload(address.href);
    expect(bytes.length).toBeGreaterThan(0);
    expect(bytes.length).toBeLessThan(whole.length);
    address.host = new URL(mesh.address(1).url).host;
    const rest = await fetch(address, { headers: { range: `bytes=${bytes.length}-`, 'if-range': etag } });
    expect(rest.status).toBe(206);
    const resumed = Buffer.concat([bytes, Buffer.from(await rest.arrayBuffer())]);
    expect(resumed.equals(whole)).toBe(true);
  });
});
