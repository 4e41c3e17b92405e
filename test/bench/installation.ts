import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../deploy/local/free-port.ts';
import type { LocalSecrets } from '../../deploy/local/state-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The installation of the benches, apart from the one that a developer may have running. Kept, so that it is loaded once. */
const directory = join(root, '.sluice', 'bench');

export interface Access {
  graphqlUrl: string;
  websocketUrl: string;
  apiKey: string;
}

interface Running {
  launcher: number;
  processes: Record<string, { pid: number }>;
}

/** A started mesh, as `npm start -- --detach` leaves it. */
export interface Installation {
  readonly access: Access;
  /** From the command to its return. */
  readonly readySeconds: number;
  readonly launcherPid: number;
  /** The names of all processes below the launcher. */
  readonly processNames: readonly string[];
  /** The process of a service, of PostgreSQL or of a Redis, by its name. */
  pidOf(name: string): number;
  /** The role that the source flights_pg is read with. */
  readerPassword(): string;
  secrets(): LocalSecrets;
  /** The socket of the Redis that carries bus, queue and sessions. */
  brokerSocket(): string;
  /** Where PostgreSQL's socket lies. */
  databaseSocketDirectory(): string;
  stop(): Promise<void>;
}

export async function startInstallation(env: Record<string, string> = {}): Promise<Installation> {
  await endLeftover();
  const begun = performance.now();
  const [port = 0] = await freePorts(1);
  const access = await runStart(port, env);
  const readySeconds = (performance.now() - begun) / 1_000;
  const running = readJson<Running>('running.json');
  return {
    access,
    readySeconds,
    launcherPid: running.launcher,
    processNames: Object.keys(running.processes),
    pidOf: (name) => {
      const found = running.processes[name];
      if (!found) throw new Error(`the installation has no process ${name}`);
      return found.pid;
    },
    readerPassword: () => readJson<LocalSecrets>('secrets.json').readerPassword,
    secrets: () => readJson<LocalSecrets>('secrets.json'),
    databaseSocketDirectory: () => join(directory, 'postgres'),
    brokerSocket: () => join(directory, 'redis-broker', 'redis.sock'),
    stop: () => end(running.launcher),
  };
}

function runStart(port: number, env: Record<string, string>): Promise<Access> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['deploy/local/start.mjs', '--detach', '--json', '--no-tour'], {
      cwd: root,
      env: {
        ...process.env,
        SLUICE_LOCAL_DIRECTORY: directory,
        SLUICE_PORT: String(port),
        SLUICE_LOG_LEVEL: 'warn',
        // One user asks here what many would ask.
        SLUICE_ORCHESTRATOR_QUESTIONS_PER_SECOND: '100000',
        SLUICE_ORCHESTRATOR_QUESTIONS_BURST: '100000',
        SLUICE_ORCHESTRATOR_RUNS_PER_MINUTE: '1000000',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    // Not 'close': what was started holds on to standard error.
    child.once('exit', (code) => {
      if (code === 0) resolve(JSON.parse(output) as Access);
      else reject(new Error(`the mesh did not start (exit code ${code})`));
    });
  });
}

/** A bench that was killed leaves its mesh running; it is ours, and is ended by the process id that it noted. */
async function endLeftover(): Promise<void> {
  if (!existsSync(join(directory, 'running.json'))) return;
  await end(readJson<Running>('running.json').launcher);
}

async function end(launcher: number): Promise<void> {
  if (!isLauncher(launcher)) return;
  process.kill(launcher, 'SIGTERM');
  const deadline = performance.now() + 60_000;
  while (isLauncher(launcher)) {
    if (performance.now() > deadline) throw new Error(`the launcher (process ${launcher}) has not ended within 60 s`);
    await wait(100);
  }
}

/** The process id of one that has ended may be another's by now. */
function isLauncher(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join('deploy', 'local', 'main.ts'));
  } catch {
    return false;
  }
}

function readJson<T>(name: string): T {
  // Written by deploy/local alone.
  return JSON.parse(readFileSync(join(directory, name), 'utf8')) as T;
}
