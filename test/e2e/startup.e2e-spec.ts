import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { services, type ServiceName } from '../../deploy/local/mesh.ts';
import { runProgram } from '../support/programs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-startup-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (service: ServiceName, env: Record<string, string>) =>
  runProgram(process.execPath, [join(root, 'dist/services', service, 'src/main.js')], {
    PATH: process.env['PATH'],
    ...env,
  });

const neededBy: Record<ServiceName, string[]> = {
  auth: ['SLUICE_AUTH_DATABASE_URL', 'SLUICE_AUTH_SIGNING_KEYS', 'SLUICE_MASTER_KEYS'],
  metadata: ['SLUICE_METADATA_DATABASE_URL', 'SLUICE_MASTER_KEYS'],
  orchestrator: ['SLUICE_MASTER_KEYS', 'SLUICE_ORCHESTRATOR_DATABASE_URL'],
  worker: ['SLUICE_MASTER_KEYS', 'SLUICE_STORE_DIRECTORY'],
  results: ['SLUICE_RESULTS_DATABASE_URL', 'SLUICE_STORE_DIRECTORY'],
  gateway: ['SLUICE_GATEWAY_CURSOR_KEYS', 'SLUICE_MASTER_KEYS', 'SLUICE_STORE_DIRECTORY'],
};

describe('A service without its settings', () => {
  test.each(services)('%s refuses to start and names every one that is missing, at once', async (service) => {
    const { exitCode, output } = await start(service, {});
    expect(exitCode).not.toBe(0);
    for (const name of ['SLUICE_REDIS_BROKER_URL', ...neededBy[service]]) expect(output).toContain(name);
    expect(output).not.toMatch(/node_modules|at .*\.js:\d+/);
  });

  test('has no default secret: none is made up where it is missing', async () => {
    const { exitCode, output } = await start('metadata', {
      SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
      SLUICE_METADATA_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    });
    expect(exitCode).not.toBe(0);
    expect(output).toContain('SLUICE_MASTER_KEYS');
    expect(output).not.toContain('SLUICE_METADATA_DATABASE_URL');
  });
});

describe('A setting', () => {
  test('that is wrong is named together with the others, and a secret’s value is not printed', async () => {
    const { output } = await start('gateway', {
      SLUICE_REDIS_URL: 'not-a-url',
      SLUICE_GATEWAY_PORT: 'eighty',
      SLUICE_GATEWAY_CURSOR_KEYS: 'k1:a-secret-that-is-too-short',
      SLUICE_STORE_DIRECTORY: folder,
    });
    for (const name of ['SLUICE_REDIS_BROKER_URL', 'SLUICE_GATEWAY_PORT', 'SLUICE_GATEWAY_CURSOR_KEYS']) {
      expect(output).toContain(name);
    }
    expect(output).not.toContain('a-secret-that-is-too-short');
  });

  test('can come from a file, and a file that is not there is a fault', async () => {
    const file = join(folder, 'keys');
    writeFileSync(file, `k1:${Buffer.alloc(32, 7).toString('base64')}\n`);
    const settings = { SLUICE_REDIS_URL: 'redis://127.0.0.1:1', SLUICE_METADATA_DATABASE_URL: 'not-a-url' };
    const good = await start('metadata', { ...settings, SLUICE_MASTER_KEYS_FILE: file });
    expect(good.output).not.toContain('SLUICE_MASTER_KEYS');
    const bad = await start('metadata', { ...settings, SLUICE_MASTER_KEYS_FILE: join(folder, 'absent') });
    expect(bad.output).toContain('SLUICE_MASTER_KEYS_FILE');
  });
});
