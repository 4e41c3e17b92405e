import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tourBlocks } from '../support/readme-blocks.js';
import { TestMesh } from '../support/test-mesh.js';
import { TourShell } from '../support/tour-shell.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const blocks = tourBlocks(readFileSync(join(root, 'README.md'), 'utf8'));

// A folder as the reader has it: .sluice/ of a fresh installation beside the packages.
let mesh: TestMesh;
let folder = '';
let shell: TourShell;
beforeAll(async () => {
  mesh = await TestMesh.start({ withFlights: true });
  folder = mkdtempSync(join(tmpdir(), 'sluice-tour-'));
  symlinkSync(mesh.directory, join(folder, '.sluice'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  symlinkSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'deploy'), join(folder, 'deploy'));
  shell = new TourShell(folder);
});
afterAll(async () => {
  shell.end();
  rmSync(folder, { recursive: true, force: true });
  await mesh.stop();
});

describe('The tour in README.md', () => {
  test('has something to run in both languages', () => {
    expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['sh', 'js']));
  });

  // In order, as a later block may use what an earlier one has set.
  test.each(blocks)(
    'line $line: the $language block runs, and no answer has errors of the operation',
    async (block) => {
      const { exitCode, output } = await shell.run(block);
      expect(exitCode, output).toBe(0);
      expect(output.trim().length + (block.code.includes('=$(') ? 1 : 0), 'it prints something').toBeGreaterThan(0);
      expect(faultsIn(output)).toEqual([]);
    },
  );
});

/** A GraphQL answer whose operation failed comes with HTTP 200, and curl ends with 0. */
function faultsIn(output: string): string[] {
  return output.split('\n').filter((line) => /^\{"(data":null|errors")/.test(line) || /"data":null/.test(line));
}
