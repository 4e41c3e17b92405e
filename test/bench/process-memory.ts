import { readdirSync, readFileSync } from 'node:fs';

/** A process and all that it has started, at any depth; what ends meanwhile is left out. */
export function familyOf(pid: number): number[] {
  const parents = new Map(allProcesses().map((each) => [each, parentOf(each)]));
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member && !family.includes(child)) family.push(child);
  }
  return family;
}

/** Resident memory in MB; 0 where the process has ended. Pages that several processes share count in each of them. */
export function residentMb(pid: number): number {
  return statusKb(pid, 'VmRSS') / 1_024;
}

/** Proportional memory in MB: what several processes share is divided among them. */
export function proportionalMb(pid: number): number {
  return kbOf(read(`/proc/${pid}/smaps_rollup`), 'Pss') / 1_024;
}

/** The most that a process has resided in since it began. */
export function peakResidentMb(pid: number): number {
  return statusKb(pid, 'VmHWM') / 1_024;
}

export function sumOf(pids: readonly number[], measure: (pid: number) => number): number {
  return pids.reduce((sum, pid) => sum + measure(pid), 0);
}

function statusKb(pid: number, field: string): number {
  return kbOf(read(`/proc/${pid}/status`), field);
}

function kbOf(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

function parentOf(pid: number): number {
  // The name before the state may hold spaces and parentheses, but ends with the last one.
  return Number(
    read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')[1] ?? 0,
  );
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
