import type { CapacityCosts } from './costs.ts';
import { ratesOf, type Demand } from './demand.ts';

/** The most users whom one machine of so many cores carries, everything on it, before its processors are too busy. */
export function usersOfOneMachine(
  demand: Demand,
  { cpuSeconds }: CapacityCosts,
  { cores, utilizationMax }: { cores: number; utilizationMax: number },
): number {
  const sum = (kind: 'hit' | 'run'): number => Object.values(cpuSeconds[kind]).reduce((total, each) => total + each, 0);
  const { hitsPerSecond, runsPerSecond } = ratesOf({ ...demand, users: 1 });
  return Math.floor((cores * utilizationMax) / (hitsPerSecond * sum('hit') + runsPerSecond * sum('run')));
}
