import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deployChecks } from './deploy-checks.ts';

const root = resolve(import.meta.dirname, '../..');
const tracked = String(execFileSync('git', ['ls-files', 'deploy'], { cwd: root }))
  .split('\n')
  // Code is checked as all code is, and deploy/tools is none of what an operator gets.
  .filter((path) => path !== '' && existsSync(join(root, path)))
  .filter((path) => !/\.(ts|mjs)$/.test(path) && !path.startsWith('deploy/tools/'));

const rows = [...readFileSync(join(root, 'docs/deploy-files.md'), 'utf8').matchAll(/^\| (`.+`) \| (.+) \|$/gm)].map(
  ([, files = '', readBy = '']) => ({
    readBy,
    globs: [...files.matchAll(/`([^`]+)`/g)].map(([, glob = '']) => glob),
  }),
);
const filesOf = (glob: string): string[] => globSync(glob, { cwd: root });

describe('docs/deploy-files.md', () => {
  it('says of each file under deploy/ what reads it, or that nothing does', () => {
    const covered = new Set(rows.flatMap(({ globs }) => globs.flatMap(filesOf)));
    expect(tracked.filter((path) => !covered.has(path))).toEqual([]);
  });

  it('names no file that is not there', () => {
    expect(rows.flatMap(({ globs }) => globs.filter((glob) => filesOf(glob).length === 0))).toEqual([]);
  });

  it('names checks and tests that there are, one at least for each row that does not say why there is none', () => {
    const checks = new Set(deployChecks.map(({ name }) => name));
    for (const { readBy } of rows) {
      const named = [...readBy.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name);
      const specs = [...readBy.matchAll(/`([^`]+-spec\.ts|[^`]+\.spec\.ts)`/g)].map(([, path = '']) => path);
      expect(named.filter((name) => !checks.has(name))).toEqual([]);
      expect(specs.filter((path) => !existsSync(join(root, path)))).toEqual([]);
      expect(named.length + specs.length > 0 || readBy.startsWith('not checked: '), readBy).toBe(true);
    }
  });
});
