import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { TourShell } from '../support/tour-shell.js';

const guide = readFileSync('docs/api.md', 'utf8');

const mesh = sharedMesh();
let folder = '';
let shell: TourShell;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-api-guide-'));
  shell = new TourShell(folder);
  const { administrator, reader } = mesh.access;
  await run(`SLUICE_URL=${mesh.origin} EMAIL=${administrator.email}
PASSWORD='${administrator.password}' PGHOST=${reader.host} PGPORT=${reader.port} PGDATABASE=${reader.database}
PGUSER=${reader.user} PGPASSWORD='${reader.password}'`);
});
afterAll(async () => {
  shell.end();
  rmSync(folder, { recursive: true, force: true });
  await mesh.close();
});

async function run(code: string): Promise<string> {
  const { exitCode, output } = await shell.run({ language: 'sh', code, line: 0 });
  expect(exitCode, output).toBe(0);
  return output;
}

// In order, as a later block uses what an earlier one has set.
describe('docs/api.md', () => {
  test.each([
    ['sign-in', /"slug":"[^"]+"},"permissions":\["/],
    ['refresh', /^$/],
    ['key', /"permissions":\["data_source.read",.*"saved_query.manage"\]\}/],
    ['source', /"ok":true,.*"errors":\[\]/],
    ['saved', /"state":"SUCCEEDED","parameters":\{(?=.*"origin":"SEA")(?=.*"top":10).*"rows":\[\[/],
    ['idempotent', /^$/],
    ['rows', /"rows":\{"offset":6,"rows":\[\[/],
    [
      'dashboard',
      /\{"results":\[\{"errors":\[\],.*\{"errors":\[\],.*"PARAMETER_MISSING".*"path":\["query","savedQuery","parameters","origin"\]/,
    ],
  ])('its commands of %s do what it says', async (name, expected) => {
    const blocks = fencedBlocks(guide, `sh ${name}`);
    expect(blocks).toHaveLength(1);
    expect((await run(blocks[0] ?? '')).trim()).toMatch(expected);
  });

  test('has no commands that no test runs', () => {
    const infos = [...guide.matchAll(/^```sh(.*)$/gm)].map(([, info = '']) => info.trim());
    expect(infos).toEqual(['', 'sign-in', 'refresh', 'key', 'source', 'saved', 'idempotent', 'rows', 'dashboard']);
  });
});
