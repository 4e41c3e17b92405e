// Runs the integration tests of the release before, from git, on the schema of this one: what it needs must still be there while both
// run side by side. Minutes, and a clone with history; `npm test` compares the schemas instead.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** The commit of the release before; `npm run schema:baseline` is of the same. */
const release = readFileSync(join(import.meta.dirname, 'previous-release'), 'utf8').trim();
const specs = process.argv.slice(2);
// Of results what runs the service: its other tests begin with a schema of their own.
if (specs.length === 0) specs.push('services/auth', 'services/metadata', 'services/orchestrator', 'results.int-spec');
/** Tests of migrations, which make a schema of their own. */
const ownSchemas = ['migrations', 'workspace-revisions'];

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

function isThere() {
  try {
    git('cat-file', '-e', `${release}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

if (!isThere()) {
  console.log(`not checked: the release before (${release}) is not in this clone; git fetch origin ${release}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-upgrade-'));
// As root, PostgreSQL runs as another user, who takes its programs from there.
chmodSync(folder, 0o755);
const before = join(folder, 'main');
const schema = join(folder, 'schema.json');
try {
  git('worktree', 'add', '--detach', before, release);
  // Links rather than copies: the tests write to none of them.
  execFileSync('cp', ['-al', join(root, 'node_modules'), join(before, 'node_modules')]);
  const env = { ...process.env, SLUICE_TEST_SCHEMA: schema };
  const vitest = (cwd, ...args) =>
    spawnSync('npx', ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', 'integration', ...args], {
      cwd,
      env,
      stdio: 'inherit',
    }).status ?? 1;
  // This release says what it does to a database; the tests of the one before find that done in each they create.
  if (vitest(root, 'deploy/tools/schema-faults') !== 0 || !existsSync(schema)) process.exit(1);
  for (const file of ['postgres-server.ts', 'pgbouncer.ts']) {
    cpSync(join(root, 'libs/testing/src', file), join(before, 'libs/testing/src', file));
  }
  process.exitCode = vitest(before, ...specs, ...ownSchemas.flatMap((name) => ['--exclude', `**/${name}.int-spec.ts`]));
} finally {
  rmSync(folder, { recursive: true, force: true });
  git('worktree', 'prune');
}
