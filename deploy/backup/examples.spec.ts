import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = import.meta.dirname;
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const scripts = readdirSync(folder)
  .filter((name) => name.endsWith('.sh'))
  .map(read)
  .join('\n');
/** What PostgreSQL's and Redis' own programs read. */
const others = ['PGHOST', 'PGUSER', 'PGDATABASE', 'REDISCLI_AUTH'];

it.each(['backup.env.example', 'place.env.example'])('%s sets nothing that no script reads', (example) => {
  const names = [...read(example).matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !others.includes(name) && !new RegExp(`\\b${name}\\b`).test(scripts))).toEqual([]);
});
