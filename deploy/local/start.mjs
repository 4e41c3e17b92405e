// `npm start`: installs and builds what is missing, then hands over to main.ts under the project's own Node.
// Plain JavaScript without a dependency, because nothing may be installed yet.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stamps = join(root, 'node_modules', '.cache', 'sluice');

/** Runs `work` unless its inputs are those of the last time. */
function unlessUnchanged(name, fingerprint, isPresent, work) {
  const stamp = join(stamps, name);
  if (isPresent && existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint) return;
  work();
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, fingerprint);
}

function run(what, command, args) {
  const begun = Date.now();
  process.stderr.write(`${what} …\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    process.stderr.write(`${what} failed${error ? `: ${error.message}` : ''}. The lines above say why.\n`);
    process.exit(1);
  }
  process.stderr.write(`${what}: done in ${((Date.now() - begun) / 1000).toFixed(1)} s\n`);
}

/** True where npm's own record of what it installed has every package that the lock file asks for on any platform. */
function isInstalled() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional, peer }]) => path === '' || optional || peer || installed[path]?.version === version,
  );
}

function sourcesFingerprint() {
  const hash = createHash('sha256');
  for (const folder of ['services', 'libs']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = statSync(path);
      hash.update(`${path}\0${size}\0${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

function nodeOfTheProject() {
  const own = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(own)) return own;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  process.stderr.write(`Node.js ${process.versions.node} is too old: 22.18 or later is needed on this platform.\n`);
  process.exit(1);
}

if (!isInstalled()) run('Installing packages', 'npm', ['ci', '--no-audit', '--no-fund']);
const node = nodeOfTheProject();
unlessUnchanged('built', sourcesFingerprint(), existsSync(join(root, 'dist')), () =>
  run('Building', node, ['deploy/tools/build.mjs']),
);

// The same process group as this one, so that Ctrl-C reaches it; this process only waits.
const ignore = () => undefined;
process.on('SIGINT', ignore).on('SIGTERM', ignore);
// The launcher waits for as long as the mesh runs. With its types already stripped it does not load what strips them, and it is
// not worth an optimizing compiler: together half of its memory.
const flags = ['--no-opt', '--no-maglev', '--max-semi-space-size=1'];
const env = { ...process.env, NODE_COMPILE_CACHE: join(stamps, 'launcher') };
const { status } = spawnSync(node, [...flags, 'deploy/local/main.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env,
});
process.exit(status ?? 1);
