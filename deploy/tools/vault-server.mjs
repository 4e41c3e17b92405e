// Builds the Vault that `npm run test:vault` runs against from its Go module: once for a machine, into ~/.cache/sluice. A first
// build takes some minutes. deploy/tools/vault names the version and, in its go.sum, what every module of it must be.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const version = 'v1.21.2';
const cache = join(homedir(), '.cache', 'sluice');
const path = process.env.SLUICE_TEST_VAULT_SERVER ?? join(cache, `vault-${version}`);

if (existsSync(path)) process.exit(0);
if (process.env.SLUICE_TEST_VAULT_SERVER !== undefined)
  fail(`SLUICE_TEST_VAULT_SERVER names ${path}, which is not there.`);
if (spawnSync('go', ['version']).status !== 0)
  fail('Go is not installed: without it there is no Vault to test against.');

console.log(`Building Vault ${version}; a first time takes some minutes.`);
mkdirSync(cache, { recursive: true });
const unfinished = `${path}.${process.pid}`;
const { status } = spawnSync(
  'go',
  // Without the plugins for clouds and databases, which are most of it.
  [
    'build',
    '-mod=readonly',
    '-tags',
    'minimal',
    '-trimpath',
    '-ldflags',
    '-s -w',
    '-o',
    unfinished,
    'github.com/hashicorp/vault',
  ],
  {
    cwd: join(import.meta.dirname, 'vault'),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
if (status === 0) renameSync(unfinished, path);
else {
  rmSync(unfinished, { force: true });
  fail(`Vault ${version} could not be built.`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
