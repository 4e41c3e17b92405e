import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runSluice } from '../run-sluice.ts';

describe('sluice rotate-keys', () => {
  it('explains itself, and says what is wrong with an option', async () => {
    const [helped, refused] = await Promise.all([
      runSluice(['rotate-keys', '--help']),
      runSluice(['rotate-keys', '--force']),
    ]);
    expect([helped.code, helped.stdout]).toEqual([0, expect.stringContaining('Exit codes')]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("unknown option '--force'")]);
  });
});

describe('sluice new-master-key', () => {
  it('makes a key in the form of the setting, sealed where a key management is named', async () => {
    const kms = { SLUICE_KMS: 'local', SLUICE_KMS_LOCAL_KEY: Buffer.alloc(32, 1).toString('base64') };
    const [open, sealed, refused] = await Promise.all([
      runSluice(['new-master-key', '--id', 'k2']),
      runSluice(['new-master-key', '--id', 'k2'], kms),
      runSluice(['new-master-key', '--id', 'k:2']),
    ]);
    expect(open.stdout).toMatch(/^k2:[A-Za-z0-9+/]{43}=\n$/);
    // Nonce, key and tag.
    expect(Buffer.from(sealed.stdout.trim().slice(3), 'base64')).toHaveLength(12 + 32 + 16);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('It is a name of')]);
  });

  it('is walked by the commands of docs/keys.md', async () => {
    const guide = readFileSync('docs/keys.md', 'utf8');
    const [, commands = ''] = /^```sh new-master-key\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    const { stdout } = await promisify(execFile)('bash', ['-e', '-c', commands]);
    expect(stdout).toMatch(/^k2:[A-Za-z0-9+/]{80}\n$/);
  });
});
