import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { addressOf, metricOf } from '../support/downloads.js';
import { runToEnd } from '../support/executions.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { TourShell } from '../support/tour-shell.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const guide = readFileSync('docs/downloads.md', 'utf8');

const gatewayMetric = (name: string): Promise<number> => metricOf(mesh, name);

describe('docs/downloads.md', () => {
  test('its commands fetch a file, packed and plain, and go on with one that broke off', async () => {
    const { id } = await mesh.source('flights_pg');
    const execution = await runToEnd(
      mesh.admin,
      id,
      unique('select origin, destination, delay from flights limit 20000'),
    );
    const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'));
    const shell = new TourShell(folder);
    try {
      const settings = `SLUICE_URL=${mesh.origin} SLUICE_API_KEY=${mesh.access.apiKey} EXECUTION_ID=${execution.id}`;
      const blocks = [settings, ...fencedBlocks(guide, 'sh address'), ...fencedBlocks(guide, 'sh resume')];
      expect(blocks).toHaveLength(3);
      for (const code of blocks) {
        const { exitCode, output } = await shell.run({ language: 'sh', code, line: 0 });
        expect(exitCode, output).toBe(0);
      }
      const lines = (name: string): number => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').length;
      expect([lines('flights.csv'), lines('flights.ndjson'), lines('part.csv')]).toEqual([20_001, 20_000, 20_001]);
    } finally {
      shell.end();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('its query asks for some columns', async () => {
    const { id } = await mesh.source('flights_pg');
    const execution = await runToEnd(mesh.admin, id, unique('select delay, origin from flights limit 10'));
    const [document = ''] = fencedBlocks(guide, 'graphql columns');
    const answer = await mesh.admin.request<{
      execution: { result: { download: { url: string; expiresAt: string } } };
    }>(document, { id: execution.id });
    const { url, expiresAt } = answer.execution.result.download;
    expect(await (await fetch(url)).text()).toMatch(/^origin,delay\r\n/);
    const secondsLeft = (Date.parse(expiresAt) - Date.now()) / 1_000;
    expect(secondsLeft).toBeGreaterThan(20);
    expect(secondsLeft).toBeLessThanOrEqual(301);
  });

  test('every status that it names is in it, and every metric is told by the gateway', async () => {
    const metrics = await (await fetch(`${mesh.access.operationsUrls['gateway'] ?? ''}/metrics`)).text();
    for (const [, name = ''] of guide.matchAll(/`(sluice_gateway_download[a-z_]+)`/g)) expect(metrics).toContain(name);
  });
});

describe('A large result', () => {
  test('that nobody takes is not written ahead', async () => {
    const { id } = await mesh.source('flights');
    const execution = await runToEnd(mesh.admin, id, unique('select i, md5(i::varchar) as m from range(400000) r(i)'), {
      limits: { rows: 400_000 },
    });
    const before = await gatewayMetric('sluice_gateway_download_bytes_total{format="NDJSON"');
    const response = await fetch(await addressOf(mesh.admin, execution.id, { format: 'NDJSON' }), {
      headers: { 'accept-encoding': 'identity' },
    });
    const reader = response.body?.getReader();
    await reader?.read();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const sent = (await gatewayMetric('sluice_gateway_download_bytes_total{format="NDJSON"')) - (before || 0);
    // What fits into the buffers of two sockets and of the client, of a file of 21 MB.
    expect(sent).toBeLessThan(12_000_000);
    await reader?.cancel();
  });
});
