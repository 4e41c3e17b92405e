// Builds the S3 server that tests of the result store run against, versitygw, from its Go module: once for a machine, into
// ~/.cache/sluice. A first build takes a minute or two. Without Go it says what is not tested, and that is no failure:
// whoever changes the store wants Go (1.26 or newer) and runs this again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const version = 'v1.8.0';
const cache = join(homedir(), '.cache', 'sluice');
const path = process.env.SLUICE_TEST_S3_SERVER ?? join(cache, `versitygw-${version}`);

if (existsSync(path)) process.exit(0);
if (process.env.SLUICE_TEST_S3_SERVER !== undefined) fail(`SLUICE_TEST_S3_SERVER names ${path}, which is not there.`);
if (spawnSync('go', ['version']).status !== 0) {
  console.warn('WARNING: Go is not installed, so there is no S3 server: the S3 store of results is NOT tested here.');
  process.exit(0);
}

console.log(`Building versitygw ${version}, the S3 server of the tests; a first time takes a minute or two.`);
const bin = mkdtempSync(join(tmpdir(), 'sluice-versitygw-'));
const { status } = spawnSync('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${version}`], {
  env: { ...process.env, GOBIN: bin, CGO_ENABLED: '0', GOFLAGS: '' },
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (status === 0) {
  mkdirSync(cache, { recursive: true });
  const whole = join(bin, 'versitygw');
  // From another file system it would not be there at once, so it is copied first.
  spawnSync('cp', [whole, `${path}.${process.pid}`]);
  renameSync(`${path}.${process.pid}`, path);
}
rmSync(bin, { recursive: true, force: true });
if (status !== 0) fail(`versitygw ${version} could not be built: the S3 store of results cannot be tested.`);

function fail(message) {
  console.error(message);
  process.exit(1);
}
