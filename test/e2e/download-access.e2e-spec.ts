import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import type { Execution } from '../support/api-types.js';
import { addressOf, downloaded, metricOf, sendDownload } from '../support/downloads.js';
import { cancel, findExecution, readAllRows, run, runToEnd, untilRunning, untilState } from '../support/executions.js';
import { newApiKey, newPerson, revokeApiKey } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { createSavedQuery } from '../support/saved-queries.js';
import { newWorkspace } from '../support/second-workspace.js';
import { manyRowsQuery, slowRowsQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const call = promisify(execFile);
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const largeCount = 120_000;
let sourceId = '';
let small: Execution;
let large: Execution;

beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
  small = await runToEnd(mesh.admin, sourceId, unique("select 1 as a, 'two' as b, 3 as c"));
  large = await runToEnd(mesh.admin, sourceId, manyRowsQuery(largeCount).text);
});

async function refusalOf(address: string): Promise<{ status: number; code: string }> {
  const response = await fetch(address);
  const [code = ''] = (await response.text()).split(':');
  return { status: response.status, code };
}

async function runIdOf(executionId: string): Promise<string> {
  const { rows } = await mesh.sluice.query<{ run_id: string }>(
    'select run_id from orchestrator.execution where id = $1',
    [executionId],
  );
  return rows[0]?.run_id ?? '';
}

describe('The address of a download', () => {
  test('serves the file with no header, on any gateway, with a name and nothing that a browser would render', async () => {
    const address = await addressOf(mesh.admin, small.id, { format: 'CSV' });
    for (const gateway of [0, 1]) {
      const url = address.replace(mesh.origin, new URL(mesh.address(gateway).url).origin);
      const response = await fetch(url);
      expect(await response.text()).toBe('a,b,c\r\n1,two,3\r\n');
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).toBe(`attachment; filename=sluice-${small.id}.csv`);
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
  });

  test('has the columns that were asked for, in that order, and an unknown one is INVALID_INPUT', async () => {
    const bytes = await downloaded(mesh.admin, small.id, { format: 'CSV', columns: ['c', 'a'] });
    expect(bytes.toString()).toBe('c,a\r\n3,1\r\n');
    const { errors } = await sendDownload(mesh.admin, small.id, { format: 'CSV', columns: ['d'] });
    expect(errors[0]?.extensions?.code).toBe('INVALID_INPUT');
  });

  test('tampered with, made up, without its signature or for another file is 403', async () => {
    const address = await addressOf(mesh.admin, small.id, { format: 'CSV' });
    const other = await addressOf(mesh.admin, large.id, { format: 'CSV' });
    const bad = [
      address.replace(/.{12}$/, 'AAAAAAAAAAAA'),
      address.replace(/signature=.*/, 'signature=made-up'),
      address.replace(/\?.*/, ''),
      address.replace('.csv', '.json'),
      address.replace(small.id, large.id),
      other.replace(/\?.*/, '') + address.replace(/.*\?/, '?').replace('signature', 'x'),
    ];
    for (const each of bad) expect(await refusalOf(each), each).toEqual({ status: 403, code: 'FORBIDDEN' });
  });

  test('of a revoked key is 403 within seconds', async () => {
    const person = await newPerson(mesh.admin, 'analyst');
    const { client, id: keyId } = await newApiKey(person.client);
    const execution = await runToEnd(client, sourceId, unique('select 1 as a'));
    const address = await addressOf(client, execution.id, { format: 'CSV' });
    expect((await fetch(address)).status).toBe(200);
    await revokeApiKey(person.client, keyId);
    await until(async () => (await fetch(address)).status === 403, { timeoutMs: 10_000, what: 'the refusal' });
  });

  test('of somebody whose right to see it has gone is 403 or 404, never the rows', async () => {
    const editor = await newPerson(mesh.admin, 'editor');
    const address = await addressOf(editor.client, small.id, { format: 'CSV' });
    expect((await fetch(address)).status).toBe(200);
    await mesh.admin.request(`mutation ($input: UpdateUserInput!) { updateUser(input: $input) { errors { code } } }`, {
      input: { id: editor.user.id, version: editor.user.version, roleNames: ['viewer'] },
    });
    await until(async () => (await fetch(address)).status === 403, { timeoutMs: 10_000, what: 'the refusal' });
  });

  test('is given to nobody for what another workspace or another person has: it looks as if it were not there', async () => {
    const stranger = await newWorkspace(mesh);
    const analyst = await newPerson(mesh.admin, 'analyst');
    for (const client of [stranger, analyst.client]) {
      expect(await findExecution(client, small.id)).toBeNull();
      expect((await sendDownload(client, small.id, { format: 'CSV' })).data?.execution).toBeNull();
    }
  });

  test('of an execution that is deleted is 404', async () => {
    const execution = await runToEnd(mesh.admin, sourceId, unique('select 1 as a'));
    const address = await addressOf(mesh.admin, execution.id, { format: 'CSV' });
    await mesh.sluice.query('delete from orchestrator.execution where id = $1', [execution.id]);
    expect(await refusalOf(address)).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  test('of an expired result is 410', async () => {
    const execution = await runToEnd(mesh.admin, sourceId, unique('select 1 as a'));
    const address = await addressOf(mesh.admin, execution.id, { format: 'CSV' });
    const runId = await runIdOf(execution.id);
    await mesh.sluice.query("update results.manifest set expires_at = now() - interval '1 second' where run_id = $1", [
      runId,
    ]);
    expect(await refusalOf(address)).toEqual({ status: 410, code: 'RESULT_EXPIRED' });
  });

  test('is null while the query runs, and of a canceled one', async () => {
    const { id } = await run(mesh.admin, sourceId, slowRowsQuery(1_000_000).text);
    await untilRunning(mesh.admin, id);
    await untilState(mesh.admin, id, ({ result }) => (result?.rowCount ?? 0) > 0);
    const download = async () =>
      (await sendDownload(mesh.admin, id, { format: 'CSV' })).data?.execution?.result?.download;
    expect(await download()).toBeNull();
    await cancel(mesh.admin, id);
    await untilState(mesh.admin, id, ({ state }) => state === 'CANCELED');
    expect(await download()).toBeNull();
  });

  test('stands in no log and in no trace', async () => {
    const address = await addressOf(mesh.admin, small.id, { format: 'TSV' });
    await fetch(address);
    await fetch(address.replace(/.{12}$/, 'AAAAAAAAAAAA'));
    await fetch(address.replace('.tsv', '.csv'));
    const signature = /signature=(.*)$/.exec(address)?.[1]?.slice(0, 200) ?? '';
    expect(signature).toHaveLength(200);
    const spans = (): Promise<string> => fetch(mesh.access.spansUrl ?? '').then((response) => response.text());
    await until(async () => (await spans()).includes('gateway.download.send'), { timeoutMs: 15_000, what: 'the span' });
    expect(await spans()).not.toContain(signature);
    const folder = join(mesh.access.directory, 'log');
    const logs = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
    expect(logs.some((text) => text.includes('a download ended'))).toBe(true);
    expect(logs.filter((text) => text.includes(signature))).toEqual([]);
  });

  test('names the file as the saved query is named, in ASCII and whole', async () => {
    const { savedQuery } = await createSavedQuery(mesh.admin, {
      name: `Délais / "été" 数据 ${Date.now()}`,
      dataSourceId: sourceId,
      sql: 'select 1 as a',
    });
    const { runQuery } = await mesh.admin.request<{ runQuery: { execution: Execution } }>(
      'mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { id } } }',
      { input: { query: { savedQuery: { id: savedQuery?.id } }, waitSeconds: 20 } },
    );
    const response = await fetch(await addressOf(mesh.admin, runQuery.execution.id, { format: 'NDJSON' }));
    expect(await response.text()).toBe('{"a":1}\n');
    const header = response.headers.get('content-disposition') ?? '';
    expect(header).toMatch(
      /^attachment; filename="D\?lais \?t\? \?\? \d+\.ndjson"; filename\*=UTF-8''D%C3%A9lais%20%C3%A9t%C3%A9%20%E6%95%B0/,
    );
  });
});

describe('The bytes of a download', () => {
  const linesOf = (text: string): string[] => text.split('\r\n').slice(1, -1);

  test('are all the rows, in order, each once, and formulas are escaped unless that is turned off', async () => {
    const lines = linesOf((await downloaded(mesh.admin, large.id, { format: 'CSV' })).toString());
    expect(lines).toHaveLength(largeCount);
    expect(lines.every((line, index) => line === `${index + 1},${md5(String(index + 1))}`)).toBe(true);
    const formula = await runToEnd(mesh.admin, sourceId, unique("select '=1+1' as a, -1 as b"));
    const written = async (escapeFormulas?: boolean) =>
      (
        await downloaded(mesh.admin, formula.id, {
          format: 'CSV',
          ...(escapeFormulas === undefined ? {} : { escapeFormulas }),
        })
      ).toString();
    expect(await written()).toBe("a,b\r\n'=1+1,-1\r\n");
    expect(await written(false)).toBe('a,b\r\n=1+1,-1\r\n');
  });

  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['zstd', 'zstd', zstdDecompressSync],
    ['gzip;q=1, zstd;q=0.5', 'gzip', gunzipSync],
    ['gzip;q=0, zstd', 'zstd', zstdDecompressSync],
    ['identity', null, (bytes: Buffer) => bytes],
    ['br', null, (bytes: Buffer) => bytes],
  ] as const)('come as Accept-Encoding wants them: %s', async (accepted, coding, unpack) => {
    const plain = await downloaded(mesh.admin, large.id, { format: 'CSV' });
    const { response, bytes } = await rawGet(await addressOf(mesh.admin, large.id, { format: 'CSV' }), {
      'accept-encoding': accepted,
    });
    expect(response.headers['content-encoding'] ?? null).toBe(coding);
    expect(response.headers.vary).toContain('Accept-Encoding');
    expect(unpack(bytes).equals(plain)).toBe(true);
  });

  test.each(['CSV', 'TSV', 'JSON', 'NDJSON'] as const)(
    '%s is resumed byte by byte, also by another address on the other gateway, which has never written it',
    async (format) => {
      const address = await addressOf(mesh.admin, large.id, { format });
      const whole = await rawGet(address);
      expect(whole.response.headers['accept-ranges']).toBe('bytes');
      const from = Math.floor(whole.bytes.length * 0.7) + 1;
      const other = (await addressOf(mesh.admin, large.id, { format })).replace(
        mesh.origin,
        new URL(mesh.address(1).url).origin,
      );
      const rest = await rawGet(other, { range: `bytes=${from}-`, 'if-range': String(whole.response.headers.etag) });
      expect(rest.response.statusCode).toBe(206);
      expect(rest.response.headers['content-range']).toBe(
        `bytes ${from}-${whole.bytes.length - 1}/${whole.bytes.length}`,
      );
      expect(rest.bytes.equals(whole.bytes.subarray(from))).toBe(true);
    },
  );

  test('are whole where the part that is asked for is of another file, and none behind the end', async () => {
    const address = await addressOf(mesh.admin, small.id, { format: 'CSV' });
    const other = await rawGet(address, { range: 'bytes=5-', 'if-range': '"another"' });
    expect([other.response.statusCode, other.bytes.toString()]).toEqual([200, 'a,b,c\r\n1,two,3\r\n']);
    const behind = await rawGet(address, { range: 'bytes=16-' });
    expect([behind.response.statusCode, behind.response.headers['content-range']]).toEqual([416, 'bytes */16']);
  });

  test('HEAD tells what would come, and nothing of it', async () => {
    const response = await fetch(await addressOf(mesh.admin, small.id, { format: 'XLSX' }), { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('accept-ranges')).toBe('none');
  });

  test('come as the guide says, also when curl has to go on where it was broken off', async () => {
    const address = await addressOf(mesh.admin, large.id, { format: 'CSV' });
    const file = join(mesh.access.directory, 'resumed.csv');
    await rm(file, { force: true });
    await call('bash', ['-c', `curl -sS '${address}' | head -c 100000 > '${file}' || true`]);
    await call('curl', ['-sS', '--fail', '-C', '-', '-o', file, address]);
    const { stdout } = await call('md5sum', [file]);
    const whole = await downloaded(mesh.admin, large.id, { format: 'CSV' });
    expect(stdout.slice(0, 32)).toBe(createHash('md5').update(whole).digest('hex'));
  });

  test.each(['CSV', 'JSON', 'XLSX', 'PARQUET', 'ARROW'] as const)(
    'as %s break visibly where a page is damaged, and say nothing inside the file',
    async (format) => {
      const execution = await runToEnd(mesh.admin, sourceId, manyRowsQuery(60_000).text);
      const address = await addressOf(mesh.admin, execution.id, { format });
      const store = join(mesh.access.directory, 'results');
      const run = await runIdOf(execution.id);
      const names = await readdir(store, { recursive: true });
      const pages = names.filter((name) => name.includes(`${run}/`) && /\/\d+\/\d+$/.test(name));
      const [last = ''] = pages.sort((left, right) => Number(basename(right)) - Number(basename(left)));
      expect(Number(basename(last))).toBeGreaterThan(0);
      await truncate(join(store, last), 100);
      const { error, bytes } = await brokenGet(address);
      expect(error).toMatch(/aborted|ECONNRESET|hang up/);
      expect(bytes.length).toBeGreaterThan(1_000);
      expect(bytes.toString('latin1')).not.toMatch(/INTERNAL|CORRUPT|error|damaged/i);
      expect(await readAllRows(mesh.admin, execution.id).catch(String)).toContain('RESULT_CORRUPT');
    },
  );

  test('that begin with a damaged page are refused with a status', async () => {
    const execution = await runToEnd(mesh.admin, sourceId, manyRowsQuery(60_000).text);
    const address = await addressOf(mesh.admin, execution.id, { format: 'PARQUET' });
    await mesh.sluice.query('delete from results.page where run_id = $1 and number = 0', [await runIdOf(execution.id)]);
    expect((await refusalOf(address)).status).toBe(500);
  });
});

describe('Downloads under way', () => {
  /** More than the buffers of two sockets take. */
  const hugeCount = 500_000;
  const hugeOf = async (client: ApiClient): Promise<Execution> =>
    runToEnd(
      client,
      (await mesh.source('flights')).id,
      unique(`select i, md5(i::varchar) as m, md5((i + 1)::varchar) as n from range(${hugeCount}) r(i)`),
      { limits: { rows: hugeCount } },
    );

  test('are counted for each user, and a client that leaves gives its place back', async () => {
    const huge = await hugeOf(mesh.admin);
    const address = await addressOf(mesh.admin, huge.id, { format: 'JSON' });
    const held = await Promise.all([1, 2, 3, 4].map(() => paused(address)));
    const refused = await fetch(address);
    expect([refused.status, (await refused.text()).split(':')[0]]).toEqual([429, 'RATE_LIMITED']);
    expect(refused.headers.get('retry-after')).toBe('5');
    for (const response of held) response.destroy();
    await until(async () => (await metricOf(mesh, 'sluice_gateway_downloads_under_way')) === 0, {
      timeoutMs: 5_000,
      what: 'the places',
    });
    const again = await paused(address);
    again.destroy();
  });

  test('end within seconds when the key that they were begun with is revoked', async () => {
    const person = await newPerson(mesh.admin, 'editor');
    const { client, id: keyId } = await newApiKey(person.client);
    const huge = await hugeOf(client);
    const response = await paused(await addressOf(client, huge.id, { format: 'JSON' }));
    await revokeApiKey(person.client, keyId);
    await until(async () => (await metricOf(mesh, 'sluice_gateway_downloads_under_way')) === 0, {
      timeoutMs: 10_000,
      what: 'the end of the download',
    });
    const ended = new Promise((resolve) => response.once('error', resolve).once('end', () => resolve('a whole file')));
    response.resume();
    expect(await ended).toBeInstanceOf(Error);
  });
});

interface Got {
  response: IncomingMessage;
  bytes: Buffer;
}

/** Without what fetch does to an answer by itself. */
async function rawGet(address: string, headers: Record<string, string> = {}): Promise<Got> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, { headers, agent: false }, resolve).once('error', reject);
  });
  return { response, bytes: await buffer(response) };
}

/** The bytes until the connection broke, and how it did. */
async function brokenGet(address: string): Promise<{ error: string; bytes: Buffer }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, { agent: false }, resolve).once('error', reject);
  });
  const pieces: Buffer[] = [];
  return new Promise((resolve) => {
    const end = (error: string): void => resolve({ error, bytes: Buffer.concat(pieces) });
    response.on('data', (piece: Buffer) => pieces.push(piece));
    response.once('error', (error) => end(String(error))).once('end', () => end('none'));
  });
}

/** A download whose client takes nothing any more. */
async function paused(address: string): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(address, { agent: false, highWaterMark: 1 } as object, resolve).once('error', reject);
  });
  expect(response.statusCode).toBe(200);
  response.on('error', () => undefined).pause();
  return response;
}
