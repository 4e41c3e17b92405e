import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const etc = mkdtempSync(join(tmpdir(), 'sluice-etc-'));
afterAll(() => rmSync(etc, { recursive: true }));

const guide = readFileSync('docs/deploying.md', 'utf8');
const [, block = ''] = /```sh\n( *\( set -eCu; .*?)\n *```/s.exec(guide) ?? [];
const script = block
  .replaceAll('/etc/sluice', etc)
  .replaceAll('/opt/sluice', process.cwd())
  .replaceAll('/usr/bin/node', process.execPath)
  // The group is the test's own: there is none of the name.
  .replaceAll('group sluice', `group ${process.getgid?.() ?? 0}`)
  .replaceAll('chgrp sluice', `chgrp ${process.getgid?.() ?? 0}`);

const modeOf = (name: string): string => (statSync(join(etc, name)).mode & 0o777).toString(8);
const keys = ['master-keys', 'signing-keys', 'cursor-keys', 'administrator-password', 'postgres/auth'];
const contents = (): string[] => keys.map((name) => readFileSync(join(etc, name), 'utf8'));

describe("The guide's settings for systemd", () => {
  it('are made for the services and root alone, and others are passed through to what Redis reads', () => {
    execFileSync('bash', ['-c', script], { stdio: 'pipe' });
    expect(contents().filter((text) => text.length < 20)).toEqual([]);
    expect(keys.map(modeOf)).toEqual(keys.map(() => '640'));
    expect([modeOf('.'), modeOf('postgres'), modeOf('auth.env')]).toEqual(['751', '750', '600']);
  });

  it('keep their keys where the block is run again, and get what was missing', () => {
    const before = contents();
    rmSync(join(etc, 'redis-password'));
    execFileSync('bash', ['-c', script], { stdio: 'pipe' });
    expect(contents()).toEqual(before);
    expect(modeOf('redis-password')).toBe('640');
  });
});
