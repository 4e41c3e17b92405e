import { readdirSync, readFileSync } from 'node:fs';
import type { Installation } from './installation.ts';

/** Of the fields from the state on. */
const ownTicks = [11, 12];
/** Of children that have ended, such as PostgreSQL's for a connection that was closed. */
const childrenTicks = [13, 14];
/** USER_HZ, which Linux shows to programs as 100 on every processor that Node runs on. */
const ticksPerSecond = 100;

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

/** What a process and all that it has started have taken of the processors, whether they still run or not. */
export function cpuSeconds(pid: number): number {
  return sumOf(familyOf(pid), (member) => {
    const fields = statFields(member);
    return [...ownTicks, ...childrenTicks].reduce((sum, field) => sum + Number(fields[field] ?? 0), 0) / ticksPerSecond;
  });
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
  return Number(statFields(pid)[1] ?? 0);
}

/** From the state on: the name before it may hold spaces and parentheses, but ends with the last one. */
function statFields(pid: number): string[] {
  return read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
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

const services = ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results'];

/** The most that any of our services has held since it started, but for those that are told apart. */
export function largestPeakMb(mesh: Pick<Installation, 'pidOf'>, apart: readonly string[]): number {
  const others = services.filter((name) => !apart.includes(name));
  return Math.max(...others.map((name) => peakResidentMb(mesh.pidOf(name))));
}
