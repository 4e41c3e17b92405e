import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { faultsOf } from './operations-faults.ts';
import { operationsTable, readSections } from './operations-table.ts';

const root = resolve(import.meta.dirname, '../..');
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function planted(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-operations-'));
  folders.push(folder);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const head = '| item | how it is met | where | how it is tested |\n|---|---|---|---|\n';

describe('docs/operations.md', () => {
  const sections = readSections(join(root, 'docs/operations'));

  it('has a row for each item, no empty cell, and names no file and no command that is not there', () => {
    const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root });
    const paths = String(listed)
      .split('\n')
      .filter((path) => path !== '' && existsSync(join(root, path)));
    // The one place where JSON is known to be what it says: our own manifest.
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    expect(faultsOf(sections, { paths, scripts: Object.keys(scripts) })).toEqual([]);
  });

  it('has the 245 rows of the articles', () => {
    const items = readFileSync(join(root, 'docs/operations/items.txt'), 'utf8').match(/^(?!## ).+$/gm);
    expect(items).toHaveLength(245);
    expect(sections.flatMap(({ rows }) => rows.map(({ item }) => item)).slice(0, 245)).toEqual(items);
  });

  it('links to guides that are there', () => {
    const links = [...operationsTable(join(root, 'docs/operations')).matchAll(/\]\((?!\w+:|#)([^)#]+)/g)];
    expect(links.map(([, path = '']) => path).filter((path) => !existsSync(join(root, 'docs', path)))).toEqual([]);
  });
});

describe('The table that is put together', () => {
  it('has the items in their order, whichever part has them, and the rest behind them', () => {
    const folder = planted({
      'items.txt': '## First\nCompose\nHelm chart, installed\n\n## Second\nPods\n',
      'a.md': `# A\n\n${head}| Pods | probes | x | y |\n| Beyond | more | x | y |\n`,
      'b.md': `# B\n\n${head}| Helm chart installed | chart | x | y |\n| Compose | a file | x | y |\n`,
    });
    expect(readSections(folder)).toEqual([
      {
        title: 'First',
        rows: [
          { item: 'Compose', cells: ['a file', 'x', 'y'] },
          { item: 'Helm chart, installed', cells: ['chart', 'x', 'y'] },
        ],
      },
      { title: 'Second', rows: [{ item: 'Pods', cells: ['probes', 'x', 'y'] }] },
      { title: 'More that is built', rows: [{ item: 'Beyond', cells: ['more', 'x', 'y'] }] },
    ]);
  });

  it('joins what several parts say of an item, and says in full what one said in short of the row above', () => {
    const folder = planted({
      'items.txt': '## Only\nTwo\nOne\n',
      'a.md': `${head}| One | a | \`deploy/a.yml\` | by a |\n| Two | b | the same | as above |\n`,
      'b.md': `${head}| Two | c | [0024](../decisions/0024.md) | by a |\n`,
    });
    expect(readSections(folder)[0]?.rows).toEqual([
      { item: 'Two', cells: ['b; c', '`deploy/a.yml`; [0024](decisions/0024.md)', 'by a'] },
      { item: 'One', cells: ['a', '`deploy/a.yml`', 'by a'] },
    ]);
  });

  it('has what the parts have not checked, below their titles', () => {
    const folder = planted({
      'items.txt': '## Only\nOne\n',
      'a.md': `# Part: what it does\n\n${head}| One | a | b | c |\n\n## Not checked\n\n| what | why |\n|---|---|\n| x | no tool |\n\n## Else\n\nno\n`,
    });
    const [, open] = operationsTable(folder).split('## Not checked here');
    expect(open).toContain('### Part\n\n| what | why |\n|---|---|\n| x | no tool |\n');
    expect(open).not.toContain('Else');
  });
});

describe('A row', () => {
  const paths = ['deploy/redis/broker.conf', 'libs/bus/src/bus.int-spec.ts'];
  const faults = (...cells: readonly string[]) =>
    faultsOf([{ title: 'Only', rows: [{ item: 'One', cells }] }], { paths, scripts: ['check'] });

  it('may name files by path, by name alone and by a star, folders, and scripts', () => {
    expect(faults('how', '`deploy/redis/*.conf`, libs/bus/', '`bus.int-spec.ts`: S1; `npm run check`')).toEqual([]);
  });

  it.each([
    ['an empty cell', 'One: an empty cell', ['how', '', 'tested']],
    ['a file that is not there', 'One: there is no nothing.spec.ts', ['how', 'x', '`nothing.spec.ts`']],
    ['a name that only ends like one', 'One: there is no us.int-spec.ts', ['how', 'x', 'us.int-spec.ts']],
    ['a folder that is not there', 'One: there is no deploy/else', ['how', 'deploy/else', 'x']],
    ['a script that is not there', 'One: there is no npm run drill', ['how', 'x', '`npm run drill`']],
  ])('is at fault for %s', (_what, fault, cells) => {
    expect(faults(...cells)).toEqual([fault]);
  });
});
