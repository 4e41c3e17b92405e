import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needsVaultServer, until, VaultServer } from '#libs/testing';
import { fencedBlocks } from '../support/readme-blocks.js';
import { newPerson, refresh, signIn } from '../support/people.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';

const run = promisify(execFile);

/** By a local key, or as `npm run test:vault` says. */
const vault = needsVaultServer ? await VaultServer.start() : undefined;
/** The master keys stand sealed in the settings. */
const kms: Readonly<Record<string, string>> = vault
  ? {
      SLUICE_KMS: 'vault',
      SLUICE_KMS_VAULT_URL: vault.url,
      SLUICE_KMS_VAULT_TOKEN: await vault.tokenFor('transit/decrypt/sluice'),
    }
  : { SLUICE_KMS: 'local', SLUICE_KMS_LOCAL_KEY: randomBytes(32).toString('base64') };
const masterKey = async (id: string) => {
  const sealing = vault && { SLUICE_KMS_VAULT_TOKEN: await vault.tokenFor('transit/encrypt/sluice') };
  const env = { PATH: process.env['PATH'], ...kms, ...sealing };
  return (await run('node', ['deploy/cli/sluice.ts', 'new-master-key', '--id', id], { env })).stdout.trim();
};
const signingKey = (kid: string) => ({
  ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  kid,
});
const k1 = await masterKey('k1');
await vault?.rotate();
const k2 = await masterKey('k2');
const [s1, s2] = [signingKey('s1'), signingKey('s2')];

let folder: string;
let started: TestMesh;
let mesh: RunningMesh;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  writeKeys([k1], [s1]);
  started = await TestMesh.start({
    env: {
      ...kms,
      SLUICE_MASTER_KEYS: '',
      SLUICE_MASTER_KEYS_FILE: join(folder, 'master'),
      SLUICE_AUTH_SIGNING_KEYS: '',
      SLUICE_AUTH_SIGNING_KEYS_FILE: join(folder, 'signing'),
    },
  });
  mesh = new RunningMesh(started.accessData);
});
afterAll(async () => {
  await vault?.stop();
  await mesh.close();
  await started.stop();
  rmSync(folder, { recursive: true, force: true });
});

function writeKeys(master: readonly string[], signing: readonly object[]): void {
  writeFileSync(join(folder, 'master'), master.join(','));
  writeFileSync(join(folder, 'signing'), JSON.stringify({ keys: signing }));
}

/** As a rolling restart leaves them. */
async function restart(...names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      await started.mesh.child(name).stop();
      started.mesh.child(name).start();
      await started.mesh.waitForService(name);
    }),
  );
}

/** By the command of the guide. */
async function rotate(...args: string[]): Promise<Record<string, unknown>> {
  const env = { PATH: process.env['PATH'], SLUICE_REDIS_BROKER_URL: started.accessData.brokerUrl };
  const [command = ''] = fencedBlocks(readFileSync('docs/keys.md', 'utf8').replaceAll(/^ {3}/gm, ''), 'sh rotate');
  const { stdout } = await run('bash', ['-c', `${command.trim()} --json ${args.join(' ')}`], { env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** How many secrets and data keys the old master key is needed for. */
async function sealedByOld(): Promise<number> {
  const { rows } = await mesh.sluice.query<{ id: string }>(
    `select id from metadata.data_source where master_key_id = 'k1'
     union all select id from auth.workspace where master_key_id = 'k1'`,
  );
  return rows.length;
}

async function canReadSource(): Promise<boolean> {
  const { id } = await mesh.source('flights_pg');
  const { testDataSource } = await mesh.admin.request<{ testDataSource: { ok: boolean } }>(
    'mutation ($id: ID!) { testDataSource(id: $id) { ok } }',
    { id },
  );
  return testDataSource.ok;
}

describe('key rotation over a running installation', () => {
  test('of signing and master keys signs nobody out, and the old keys may go when it is done', async () => {
    const person = await newPerson(mesh.admin, 'viewer');
    const session = await signIn(mesh.anonymous, person);
    writeKeys([k2, k1], [s2, s1]);
    await restart('auth', 'metadata', 'worker', 'orchestrator');
    // A token of the old signing key, and one of the new one, which the gateway has never seen.
    const viewerBy = (accessToken: string | null) =>
      mesh.anonymous.as(`Bearer ${accessToken ?? ''}`).request<{ viewer: object }>('{ viewer { id } }');
    expect((await viewerBy(session.accessToken)).viewer).toBeTruthy();
    const renewed = await refresh(mesh.anonymous, session.refreshToken ?? '');
    expect(Buffer.from(renewed.accessToken?.split('.')[0] ?? '', 'base64url').toString()).toContain('"s2"');
    // Keys that nobody has seen are asked for once a second, as anybody can make up their names.
    expect((await until(() => viewerBy(renewed.accessToken), { timeoutMs: 3_000 })).viewer).toBeTruthy();

    // Services have opened the master keys at their start, and do not need Vault after that.
    await vault?.seal();
    const sealed = await sealedByOld();
    expect(sealed).toBeGreaterThan(1);
    expect(await rotate('--new-data-keys')).toMatchObject({
      'data keys': { total: 1, resealed: 1, unreadable: 0 },
      metadata: { resealed: sealed - 1, unreadable: 0 },
    });
    expect(await sealedByOld()).toBe(0);
    await vault?.unseal();

    writeKeys([k2], [s2]);
    await restart('auth', 'metadata', 'worker', 'orchestrator', 'gateway');
    expect(await canReadSource()).toBe(true);
    expect((await refresh(mesh.anonymous, renewed.refreshToken ?? '')).errors).toEqual([]);
    // Restarts of most services, twice.
  }, 150_000);
});
