// Compiles services/ and libs/ to dist/ in the same layout, copies what is not TypeScript (SQL, Lua, JSON, GraphQL)
// and removes what has no source any more, so that a deleted migration or handler cannot be loaded from an old build.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const roots = ['services', 'libs'].filter((root) => existsSync(root));
if (roots.length === 0) {
  console.error('Nothing to build: neither services/ nor libs/ is here.');
  process.exit(1);
}

const compiled = spawnSync(
  process.execPath,
  ['node_modules/@swc/cli/bin/swc.js', ...roots, '-d', 'dist', '--copy-files', '--quiet'],
  { stdio: 'inherit' },
);
if (compiled.status !== 0) {
  process.exit(compiled.status ?? 1);
}

const testFile = /\.(spec|int-spec)\.[jt]s(\.map)?$/;

function sourceOf(file) {
  return file.replace(/\.js(\.map)?$/, '.ts');
}

for (const root of roots) {
  const outputs = readdirSync(join('dist', root), { recursive: true, withFileTypes: true });
  for (const output of outputs.filter((entry) => entry.isFile())) {
    const path = join(output.parentPath, output.name);
    const source = path.slice('dist/'.length);
    if (testFile.test(path) || !(existsSync(source) || existsSync(sourceOf(source)))) {
      rmSync(path);
    }
  }
}
