import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { hasS3Server, S3Server, until } from '#libs/testing';
import { readPage, run, runToEnd, untilFinal, untilState } from '../support/executions.js';
import { RunningMesh } from '../support/running-mesh.js';
import { manyRowsQuery, slowRowsQuery } from '../support/slow-queries.js';
import { TestMesh } from '../support/test-mesh.js';
import { missingForMounts } from './mounts.js';
import { isNotTried } from './not-tried.js';
import { countRightRows } from './right-rows.js';

/** Some 2 MB as stored, in pages. */
const pagedCount = 50_000;

let started: TestMesh;
let mesh: RunningMesh;
let sourceId = '';

async function startMesh(env: Record<string, string>): Promise<void> {
  // Without pages in memory every read is one of the store.
  started = await TestMesh.start({ env: { SLUICE_GATEWAY_PAGE_CACHE_BYTES_MAX: '0', ...env } });
  mesh = new RunningMesh(started.accessData);
  sourceId = (await mesh.source('flights_pg')).id;
}

async function stopMesh(): Promise<void> {
  await mesh.close();
  await started.stop();
}

describe.skipIf(isNotTried('the result store on a full disk', missingForMounts()))('On a disk that is full', () => {
  let disk = '';

  beforeAll(async () => {
    disk = mkdtempSync(join(tmpdir(), 'sluice-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    await startMesh({ SLUICE_STORE_DIRECTORY: disk });
  });

  afterAll(async () => {
    await stopMesh();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  });

  test('a run fails with its own code, its rows so far and all earlier ones are read, and nothing is half written', async () => {
    const earlier = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount).text);
    expect(earlier.state).toBe('SUCCEEDED');
    const failed = await runToEnd(mesh.admin, sourceId, manyRowsQuery(2_000_000).text);
    expect(failed).toMatchObject({
      state: 'FAILED',
      error: { code: 'RESULT_STORE_UNAVAILABLE', retryable: true },
      result: { state: 'PARTIAL' },
    });
    expect(await countRightRows(mesh.admin, failed)).toBe(failed.result?.rowCount);
    expect(await countRightRows(mesh.admin, earlier)).toBe(pagedCount);
    const files = readdirSync(disk, { recursive: true }).map(String);
    expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('an inline result needs no room, and there are pages again once there is some', async () => {
    writeFileSync(join(disk, 'ballast'), '');
    expect((await runToEnd(mesh.admin, sourceId, manyRowsQuery(10).text)).state).toBe('SUCCEEDED');
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    const later = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount).text);
    expect(await countRightRows(mesh.admin, later)).toBe(pagedCount);
  });
});

describe.skipIf(!hasS3Server)('With its results in S3', () => {
  let s3: S3Server;

  beforeAll(async () => {
    s3 = await S3Server.start();
    await startMesh({ ...s3.settings, SLUICE_STORE_S3_TIMEOUT_MS: '2000', SLUICE_STORE_S3_ATTEMPTS: '3' });
  });

  afterAll(async () => {
    await stopMesh();
    await s3[Symbol.asyncDispose]();
  });

  test('a run whose store goes away fails with its own code; what was read is read from copies until they vanish, all else when the store is back', async () => {
    const earlier = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount).text);
    expect(await countRightRows(mesh.admin, earlier)).toBe(pagedCount);
    const unread = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount + 1).text);
    const writing = await run(mesh.admin, sourceId, slowRowsQuery(20_000, 30_000).text);
    await untilState(mesh.admin, writing.id, ({ result }) => (result?.rowCount ?? 0) > 0);
    await s3.kill();
    const failed = await untilFinal(mesh.admin, writing.id);
    expect(failed).toMatchObject({ state: 'FAILED', error: { code: 'RESULT_STORE_UNAVAILABLE', retryable: true } });
    await expect(readPage(mesh.admin, unread.id, { first: 10 })).rejects.toThrow(/RESULT_STORE_UNAVAILABLE/);
    expect(await countRightRows(mesh.admin, earlier)).toBe(pagedCount);
    const cache = new Redis(started.mesh.cacheUrl);
    await cache.flushall();
    cache.disconnect();
    await expect(readPage(mesh.admin, earlier.id, { first: 10 })).rejects.toThrow(/RESULT_STORE_UNAVAILABLE/);
    await s3.launch();
    expect(await countRightRows(mesh.admin, earlier)).toBe(pagedCount);
    expect(await countRightRows(mesh.admin, unread)).toBe(pagedCount + 1);
    expect(await countRightRows(mesh.admin, failed)).toBe(failed.result?.rowCount);
  });

  test('R12: a page that was changed is told as RESULT_CORRUPT, is counted, and all other pages are read', async () => {
    const sealed = await runToEnd(mesh.admin, sourceId, manyRowsQuery(pagedCount).text);
    const { rows } = await mesh.sluice.query<{ path: string; first_row: string }>(
      `select concat_ws('/', m.workspace_id, p.run_id, p.fence, p.number) as path, p.first_row
       from results.page p join results.manifest m using (run_id)
         join orchestrator.execution e using (run_id) where e.id = $1 and p.number = 1`,
      [sealed.id],
    );
    const [page] = rows;
    const path = join(s3.directory, 'data', s3.bucket, page?.path ?? '');
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const offset = Number(page?.first_row);
    await expect(readPage(mesh.admin, sealed.id, { first: 10, offset })).rejects.toThrow(/RESULT_CORRUPT/);
    const before = await readPage(mesh.admin, sealed.id, { first: 10, offset: offset - 10 });
    expect(before.rows.map(([number]) => Number(number))).toEqual(
      Array.from({ length: 10 }, (_, at) => offset - 9 + at),
    );
    const metrics = await (await fetch(`${started.mesh.operationsUrl('gateway')}/metrics`)).text();
    expect(metrics).toMatch(/sluice_gateway_page_faults_total\{[^}]*reason="corrupt"[^}]*\} [1-9]/);
  });

  test('a run waits for a store that answers late, and its result is whole', async () => {
    const writing = await run(mesh.admin, sourceId, slowRowsQuery(5_000, 20_000).text);
    await untilState(mesh.admin, writing.id, ({ result }) => (result?.rowCount ?? 0) > 0);
    await s3.pause();
    await delay(1_500);
    s3.resume();
    expect((await untilFinal(mesh.admin, writing.id)).state).toBe('SUCCEEDED');
    expect(await countRightRows(mesh.admin, writing)).toBe(5_000);
  });

  test('a worker that sees another store is not ready, says which, and takes no run', async () => {
    const elsewhere = join(started.directory, 'elsewhere');
    mkdirSync(elsewhere);
    // It does not become ready, so nobody waits for that.
    const env = { SLUICE_STORE: 'directory', SLUICE_STORE_DIRECTORY: elsewhere };
    void started.mesh.addInstance('worker', 'astray', undefined, env).catch(() => undefined);
    const log = join(started.directory, 'log', 'worker-astray.log');
    await until(() => existsSync(log) && readFileSync(log, 'utf8').includes(`${elsewhere} is not the result store`), {
      what: 'the worker to say that its store is another',
      timeoutMs: 30_000,
    });
    expect((await fetch(`${started.mesh.operationsUrl('worker-astray')}/readyz`)).status).toBe(503);
    const runs = await Promise.all(
      Array.from({ length: 10 }, () => runToEnd(mesh.admin, sourceId, manyRowsQuery(20_000).text)),
    );
    for (const each of runs) expect(await countRightRows(mesh.admin, each)).toBe(20_000);
    const { rows } = await mesh.sluice.query("select 1 from orchestrator.run where worker_id like '%astray%'");
    expect(rows).toEqual([]);
    await started.mesh.child('worker-astray').stop();
  });
});
