// `npm run deploy:tools`: builds the programs of `npm run check:deploy` that come from Go, once for a machine, into
// ~/.cache/sluice/bin. Some minutes, and only where Go is here; without them their checks say `not checked`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toolCache } from './tool-cache.ts';

/** Program, package, version. */
const tools = [
  ['helm', 'helm.sh/helm/v4/cmd/helm', 'v4.3.1'],
  ['actionlint', 'github.com/rhysd/actionlint/cmd/actionlint', 'v1.7.12'],
];

if (spawnSync('go', ['version']).status !== 0) {
  console.log(`not checked: go missing: ${tools.map(([program]) => program).join(' and ')} cannot be built`);
  process.exit(0);
}
mkdirSync(toolCache, { recursive: true });
for (const [program, path, version] of tools) {
  const mark = join(toolCache, `.${program}-${version}`);
  if (existsSync(mark) && existsSync(join(toolCache, program))) continue;
  console.log(`Building ${program} ${version}.`);
  const env = { ...process.env, GOBIN: toolCache, CGO_ENABLED: '0', GOFLAGS: '' };
  const { status } = spawnSync('go', ['install', `${path}@${version}`], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(1);
  // Another version builds it again.
  writeFileSync(mark, '');
}
