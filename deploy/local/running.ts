import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isStore, type Mesh } from './mesh.ts';
import type { StateDirectory } from './state-directory.ts';
import { waitFor } from './wait-for.ts';

interface Known {
  pid: number;
  startedAt: string;
  stopSignal: NodeJS.Signals;
}

interface Running {
  launcher: number;
  processes: Record<string, Known>;
}

const file = 'running.json';
const readyFile = 'ready.json';

/** The launcher of an installation that is running, or undefined. */
export function runningLauncher(state: StateDirectory): number | undefined {
  const running = read(state);
  return running && isAlive(running.launcher) ? running.launcher : undefined;
}

export function noteRunning(mesh: Mesh): void {
  const processes = Object.fromEntries(
    [...mesh.children.values()]
      .filter((child) => child.isRunning)
      .map((child) => [
        child.name,
        { pid: child.pid, startedAt: startTimeOf(child.pid) ?? '', stopSignal: child.stopSignal },
      ]),
  );
  mesh.state.writePrivate(file, { launcher: process.pid, processes } satisfies Running);
}

export function forgetRunning(state: StateDirectory): void {
  for (const name of [file, readyFile]) rmSync(state.file(name), { force: true });
}

/** For a start that has left this process to itself and waits for it. */
export function noteReady(state: StateDirectory): void {
  state.writePrivate(readyFile, { launcher: process.pid });
}

export function isReady(state: StateDirectory, launcher: number | undefined): boolean {
  const path = state.file(readyFile);
  // Written by noteReady alone.
  return existsSync(path) && (JSON.parse(readFileSync(path, 'utf8')) as { launcher: number }).launcher === launcher;
}

/**
 * Resolves when the note is gone, and its folder with it: what runs has lost what it keeps, and nobody would find it to end it.
 */
export async function untilForgotten(state: StateDirectory, everyMs = 2_000): Promise<void> {
  while (existsSync(state.file(file))) await delay(everyMs, undefined, { ref: false });
}

/**
 * Ends what a launcher that was killed has left behind, and waits for it: its own processes only, known by process id and
 * start time. The services first, as they cannot end in order without the stores.
 */
export async function endLeftovers(state: StateDirectory): Promise<number> {
  const left = Object.entries(read(state)?.processes ?? {}).filter(([, process]) => isStillThere(process));
  await end(left.filter(([name]) => !isStore(name)));
  await end(left.filter(([name]) => isStore(name)));
  return left.length;
}

async function end(left: [string, Known][]): Promise<void> {
  const still = (): Known[] => left.map(([, process]) => process).filter(isStillThere);
  for (const { pid, stopSignal } of still()) process.kill(pid, stopSignal);
  await waitFor('the end of an earlier start', async () => still().length === 0, 10_000).catch(() => {
    for (const { pid } of still()) process.kill(pid, 'SIGKILL');
  });
}

function isStillThere({ pid, startedAt }: Known): boolean {
  return startedAt !== '' && startTimeOf(pid) === startedAt;
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
