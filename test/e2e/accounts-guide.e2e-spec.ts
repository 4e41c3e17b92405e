import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { TourShell } from '../support/tour-shell.js';

const guide = readFileSync('docs/accounts.md', 'utf8');

const mesh = sharedMesh();
let folder = '';
let shell: TourShell;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-accounts-guide-'));
  shell = new TourShell(folder);
  const { administrator } = mesh.access;
  await run(`SLUICE_URL=${mesh.origin} EMAIL=${administrator.email} PASSWORD='${administrator.password}'`);
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

/** What an authenticator app shows for a secret (RFC 6238), made without the library that checks it. */
function codeOf(secret: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

// In order, as a later block uses what an earlier one has set.
describe('docs/accounts.md', () => {
  test.each([
    ['begin', /^$/],
    ['invite', /"acceptInvitation":\{"errors":\[\]\}/],
    ['second-factor', /^$/],
    ['confirm', /^$/],
    ['sign-in', /^SECOND_FACTOR_REQUIRED$/],
    ['sessions', /"userAgent":"Example\/1.0","clientAddress":"127.0.0.1","current":true.*"revokedCount":0/s],
    ['change', /"changePassword":\{"errors":\[\]\}/],
    ['reset', /"requestPasswordReset":\{"errors":\[\]\}/],
    ['preferences', /"errors":\[\].*"timeZone":"Europe\/Vienna","locale":"de-AT","defaultDataSource":null/s],
  ])('its commands of %s do what it says', async (name, expected) => {
    if (name === 'confirm') await run(`CODE=${codeOf((await run('echo $SECRET')).trim())}`);
    const blocks = fencedBlocks(guide, `sh ${name}`);
    expect(blocks).toHaveLength(1);
    expect((await run(blocks[0] ?? '')).trim()).toMatch(expected);
  });

  test('has no commands that no test runs', () => {
    const infos = [...guide.matchAll(/^```sh(.*)$/gm)].map(([, info = '']) => info.trim());
    expect(infos).toEqual([
      ...['', 'begin', 'invite', 'second-factor', 'confirm', 'sign-in', 'sessions', 'change', 'reset', 'preferences'],
    ]);
  });
});
