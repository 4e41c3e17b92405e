import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDashboards } from '../telemetry/observed.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.warn('not checked: promtool missing');

const deploy = resolve(import.meta.dirname, '..');
const yamlOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yml'))
    .map((name) => join(folder, name));

function promtool(...args: string[]): string {
  return execFileSync('promtool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sluice-promtool-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe.skipIf(!hasPromtool)('promtool', () => {
  it('finds no fault in the rules', () => {
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', ...yamlOf(import.meta.dirname))).not.toContain(
      'FAILED',
    );
  });

  it('makes every alert fire, and has none fire on a healthy installation', () => {
    const files = yamlOf(join(import.meta.dirname, 'tests'));
    expect(promtool('test', 'rules', ...files).match(/SUCCESS/g)).toHaveLength(files.length);
  }, 60_000);

  it.each([
    'telemetry/prometheus.compose.yml',
    'telemetry/prometheus.systemd.yml',
    'compose/observability/prometheus.yml',
  ])('takes %s', (path) => {
    expect(promtool('check', 'config', '--syntax-only', join(deploy, path))).toContain('SUCCESS');
  });

  it('reads the expression of every panel', () => {
    const rules = readDashboards()
      .flatMap(({ panels }) => panels.flatMap(({ targets }) => targets))
      .map(({ expr }, index) => ({ record: `panel:${index}`, expr: expr.replaceAll('$__rate_interval', '5m') }));
    const file = join(scratch, 'panels.yml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    expect(promtool('check', 'rules', file)).toContain(`${rules.length} rules found`);
    expect(readFileSync(file, 'utf8')).not.toContain('$__');
  });
});
