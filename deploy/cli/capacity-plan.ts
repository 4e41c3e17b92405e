import type { CapacityCosts } from '../capacity/costs.ts';
import type { Plan } from '../capacity/plan.ts';
import type { PlanSettings } from '../capacity/planned-service.ts';
import type { Simulated } from '../capacity/simulation.ts';
import { shown, table } from './table.ts';

interface Found extends Plan {
  readonly oneMachineUsers: number;
  readonly simulated: Simulated | undefined;
  readonly disagreement: { slots: number; rate: number } | undefined;
}

export function printPlan(found: Found, settings: PlanSettings, costs: CapacityCosts): void {
  console.log([load(found), '', services(found), '', slots(found, settings), '', sizes(found)].join('\n'));
  if (found.simulated) console.log(`\n${simulation(found.simulated, found)}`);
  console.log(
    `\nOne machine of ${settings.coresPerMachine} processors with everything on it carries ${shown(found.oneMachineUsers)} such users.` +
      `\nCosts of a question: measured on ${costs.measured.on}, ${costs.measured.machine}.`,
  );
  for (const warning of found.warnings) console.log(`Mind: ${warning}`);
}

function load({ demand, rates }: Found): string {
  return `${shown(demand.users)} users, ${shown(rates.activeUsers)} at work: ${shown(rates.questionsPerSecond)} questions/s, of them ${shown(rates.hitsPerSecond)} from the cache and ${shown(rates.runsPerSecond)} runs.`;
}

function services({ services: all, sizes: { memoryMb }, machines }: Found): string {
  const rows = all.map(({ name, replicas, inUse, waitP95Seconds }) => [
    name,
    String(replicas),
    shown(inUse),
    `${shown(waitP95Seconds * 1_000)} ms`,
    memoryMb[name] === undefined ? '' : `${memoryMb[name]} MB`,
  ]);
  return `${table(['process', 'replicas', 'processors in use', 'wait p95', 'memory each'], rows)}
${machines} machines, of which one may be lost, beside those of PostgreSQL and Redis; of postgres the processors are meant.`;
}

function slots({ slots: { inUse, planned, waitP95Seconds }, rates }: Found, { slotsPerWorker }: PlanSettings): string {
  return `Slots: ${shown(inUse)} in use (${shown(rates.runsPerSecond)} runs/s x ${shown(inUse / rates.runsPerSecond)} s each), ${planned} planned (${slotsPerWorker} a worker), wait p95 ${shown(waitP95Seconds)} s.`;
}

function sizes({ sizes: found }: Found): string {
  const redis = found.redis.map(({ role, usedMb, maxmemoryMb, machineMb }) => [
    `Redis ${role}`,
    `${usedMb} MB`,
    `${maxmemoryMb} MB`,
    `${machineMb} MB`,
  ]);
  return `${table(['server', 'holds', 'maxmemory', 'machine'], redis)}
Connections: ${found.postgresConnections} of PostgreSQL, ${found.redisConnections} of Redis, up to ${found.sourceConnections} of data sources.
Disk a day: ${shown(found.historyGbPerDay)} GB of history in PostgreSQL, ${shown(found.resultsGbPerDay)} GB of results.`;
}

function simulation(simulated: Simulated, { disagreement }: Found): string {
  const rows = Object.entries(simulated.kinds).map(([kind, { p50Seconds, p95Seconds, p99Seconds }]) => [
    kind,
    ...[p50Seconds, p95Seconds, p99Seconds].map((seconds) => `${shown(seconds * 1_000)} ms`),
  ]);
  const percent = (value: number): string => `${value < 0 ? '' : '+'}${shown(value * 100)} %`;
  return `${table(['simulated', 'p50', 'p95', 'p99'], rows)}
${shown(simulated.questionsPerSecond)} questions/s (${percent(disagreement?.rate ?? 0)} of the formulas'), ${shown(simulated.stations['slots']?.inUse ?? 0)} slots in use (${percent(disagreement?.slots ?? 0)}).`;
}
