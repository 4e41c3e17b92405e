import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { Mesh } from './mesh.ts';
import type { StateDirectory } from './state-directory.ts';

interface Running {
  launcher: number;
  processes: Record<string, { pid: number; startedAt: string }>;
}

const file = 'running.json';

/** The launcher of an installation that is running, or undefined. */
export function runningLauncher(state: StateDirectory): number | undefined {
  const running = read(state);
  return running && isAlive(running.launcher) ? running.launcher : undefined;
}

export function noteRunning(mesh: Mesh): void {
  const processes = Object.fromEntries(
    [...mesh.children.values()]
      .filter((child) => child.isRunning)
      .map((child) => [child.name, { pid: child.pid, startedAt: startTimeOf(child.pid) ?? '' }]),
  );
  mesh.state.writePrivate(file, { launcher: process.pid, processes } satisfies Running);
}

export function forgetRunning(state: StateDirectory): void {
  rmSync(state.file(file), { force: true });
}

/** Ends what a launcher that was killed has left behind: its own processes only, known by process id and start time. */
export function endLeftovers(state: StateDirectory): number {
  const left = Object.values(read(state)?.processes ?? {}).filter(
    ({ pid, startedAt }) => startedAt !== '' && startTimeOf(pid) === startedAt,
  );
  for (const { pid } of left) process.kill(pid, 'SIGTERM');
  return left.length;
}

function read(state: StateDirectory): Running | undefined {
  const path = state.file(file);
  // Written by noteRunning alone.
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Running) : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Field 22 of /proc/<pid>/stat; the name before it may hold spaces, but ends with the last parenthesis.
function startTimeOf(pid: number): string | undefined {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return undefined;
  return readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')[19];
}
