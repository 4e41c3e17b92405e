import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defineConfig, loadConfig } from '#libs/config';
import { resultStoreSettings } from './result-store.settings.js';

const definition = defineConfig({ store: resultStoreSettings });
const guide = readFileSync(resolve(import.meta.dirname, '../../../docs/results.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
const secretFile = join(folder, 's3-secret');
writeFileSync(secretFile, 'a-secret\n');

afterAll(() => rmSync(folder, { recursive: true }));

/** The settings of a block of docs/results.md. */
function settingsIn(name: string): Record<string, string> {
  const [, block] = new RegExp(`\`\`\`ini ${name}\n([^]*?)\`\`\``).exec(guide) ?? [];
  if (block === undefined) throw new Error(`docs/results.md has no block ${name}`);
  const lines = block.trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=', 2)));
}

describe('the settings of the store', () => {
  it('are those of docs/results.md for a directory', () => {
    const { store } = loadConfig(definition, settingsIn('directory'));
    expect(store).toEqual({ kind: 'directory', path: '/var/lib/sluice/results' });
  });

  it('are those of docs/results.md for S3, with the secret from a file', () => {
    const settings = { ...settingsIn('s3'), SLUICE_STORE_S3_SECRET_ACCESS_KEY_FILE: secretFile };
    expect(loadConfig(definition, settings).store).toMatchObject({
      ...{ kind: 's3', bucket: 'sluice-results', prefix: 'production/', pathStyle: true, region: 'eu-central-1' },
      ...{ endpoint: 'https://minio.example.com' },
      credentials: { kind: 'keys', accessKeyId: 'sluice', secretAccessKey: 'a-secret' },
    });
  });

  it('leave the credentials of S3 to the chain of the SDK where nothing is said', () => {
    const { store } = loadConfig(definition, { SLUICE_STORE: 's3', SLUICE_STORE_S3_BUCKET: 'results' });
    expect(store).toMatchObject({ credentials: { kind: 'chain' }, endpoint: undefined, pathStyle: false, prefix: '' });
  });

  it('tell all their faults at once, and never a secret', () => {
    const faulty = {
      SLUICE_STORE: 's3',
      SLUICE_STORE_S3_PREFIX: '/results',
      SLUICE_STORE_S3_ENDPOINT: 'minio',
      SLUICE_STORE_S3_CREDENTIALS: 'keys',
      SLUICE_STORE_S3_ACCESS_KEY_ID: 'sesame',
    };
    const load = (): unknown => loadConfig(definition, faulty);
    for (const name of ['BUCKET is missing', 'PREFIX is wrong', 'ENDPOINT is wrong', 'SECRET_ACCESS_KEY is missing']) {
      expect(load).toThrowError(new RegExp(`SLUICE_STORE_S3_${name}`));
    }
    expect(load).not.toThrowError(/sesame/);
  });
});
