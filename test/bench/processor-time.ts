import type { Installation } from './installation.ts';
import { cpuSeconds } from './process-memory.ts';

/** Milliseconds of the processor that each process took for one of what was done. */
export type ProcessorMs = ReadonlyMap<string, number>;

/** Begins to count. @returns tells what was taken since, for each of `count` */
export function countProcessorTime(
  mesh: Installation,
  others: Readonly<Record<string, number>> = {},
): (count: number) => ProcessorMs {
  const before = spent(mesh, others);
  return (count) =>
    new Map(
      [...spent(mesh, others)].map(([name, seconds]) => [name, ((seconds - (before.get(name) ?? 0)) * 1_000) / count]),
    );
}

export function describeProcessorMs(processes: ProcessorMs): string {
  const parts = [...processes].filter(([, ms]) => ms >= 0.05).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
  return `ms of the processor each: ${parts.join(', ')}`;
}

/** Seconds so far, of this process as `client`. */
function spent(mesh: Installation, others: Readonly<Record<string, number>>): Map<string, number> {
  const { user, system } = process.cpuUsage();
  const pids = [...Object.entries(others), ...mesh.processNames.map((name) => [name, mesh.pidOf(name)] as const)];
  return new Map([
    ['client', (user + system) / 1_000_000],
    ...pids.map(([name, pid]): [string, number] => [name, cpuSeconds(pid)]),
  ]);
}
