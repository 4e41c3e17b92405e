// `npm run image`: builds the image with the engine that is here, and says so where there is none.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const help = `npm run image -- [--tag <name>]

Builds deploy/image/Dockerfile with docker or podman; sluice:<version> where no tag is given.
Exit codes: 0 built, or there is no engine; 1 failed.`;

const words = process.argv.slice(2);
if (words.includes('--help')) {
  console.log(help);
  process.exit(0);
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const tag = words[0] === '--tag' && words[1] ? words[1] : `sluice:${version}`;
// A client without its engine answers too, so the engine itself is asked.
const engine = ['docker', 'podman'].find((program) => spawnSync(program, ['info']).status === 0 && hasServer(program));
if (engine === undefined) {
  console.log('not checked: docker (or podman) with a running engine missing: the image was not built');
  process.exit(0);
}
const revision = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
const { status } = spawnSync(
  engine,
  [
    'build',
    '-f',
    'deploy/image/Dockerfile',
    '-t',
    tag,
    '--build-arg',
    `VERSION=${version}`,
    '--build-arg',
    `REVISION=${revision}`,
    '.',
  ],
  { stdio: 'inherit', env: { ...process.env, DOCKER_BUILDKIT: '1' } },
);
process.exitCode = status === 0 ? 0 : 1;

function hasServer(program) {
  return program === 'podman' || spawnSync(program, ['version', '--format', '{{.Server.Version}}']).status === 0;
}
