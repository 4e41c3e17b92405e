// Runs the tests of everything that speaks to Redis on Valkey: the clients and their topologies, the bus, the files under
// deploy/redis. Where there is no valkey-server it says so and changes nothing.
import { spawnSync } from 'node:child_process';

const program = process.env.SLUICE_VALKEY_SERVER ?? 'valkey-server';
const found = spawnSync(program, ['--version'], { encoding: 'utf8' });
if (found.error || found.status !== 0) {
  console.log('not checked: valkey missing');
} else {
  console.log(found.stdout.trim());
  const { status } = spawnSync(
    'vitest',
    [
      ...['run', '--config', 'test/vitest.config.ts', '--project', 'integration'],
      ...[
        'libs/redis',
        'libs/bus',
        'deploy/redis',
        'deploy/cli/commands/redrive',
        'services/orchestrator/src/dispatch',
      ],
    ],
    { stdio: 'inherit', env: { ...process.env, SLUICE_REDIS_SERVER: program } },
  );
  process.exitCode = status ?? 1;
}
