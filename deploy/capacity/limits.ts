import type { CapacityCosts, ProcessName } from './costs.ts';
import type { Limit } from './forecast.ts';
import type { Day, Measured } from './growth.ts';

export interface Standing {
  /** How many of each process run now. */
  readonly replicas: Readonly<Partial<Record<ProcessName, number>>>;
  readonly utilizationMax: number;
  readonly socketsPerGateway: number;
  readonly databaseGb: number | undefined;
}

const hourSeconds = 3_600;
/** Processes whose processors the load fills first; the others follow them. */
export const byProcessor: readonly ProcessName[] = ['gateway', 'orchestrator', 'postgres', 'redis-broker'];

/** What is there of each thing that growth uses up, and how much each day's busiest hour used of it. */
export function limitsOf(
  { days, slotSeconds, slots, databaseBytes }: Measured,
  costs: CapacityCosts,
  standing: Standing,
): Limit[] {
  const { utilizationMax, socketsPerGateway, databaseGb } = standing;
  const replicasOf = (name: ProcessName): number => standing.replicas[name] ?? 1;
  const used = (of: (day: Day) => number): number[] => days.map(of);
  const processors = byProcessor.map((name) => ({
    name: `processors of ${name}`,
    used: used((day) => processorsOf(day, costs, name)),
    limit: replicasOf(name) * utilizationMax,
  }));
  const last = days.at(-1)?.executions ?? 0;
  return [
    {
      name: 'slots of workers',
      // Little: runs a second times the seconds that each holds a slot.
      used: used(({ peakHourRuns }) => (peakHourRuns / hourSeconds) * slotSeconds),
      limit: slots * utilizationMax,
    },
    ...processors,
    {
      name: 'users at once, by sockets',
      used: used(({ peakHourUsers }) => peakHourUsers),
      limit: replicasOf('gateway') * socketsPerGateway * utilizationMax,
    },
    ...(databaseGb === undefined || last === 0
      ? []
      : [
          {
            name: 'GB of PostgreSQL',
            // History is kept for so many days, so what it takes follows what comes in a day.
            used: used(({ executions }) => (databaseBytes / 1e9) * (executions / last)),
            limit: databaseGb * utilizationMax,
          },
        ]),
  ];
}

function processorsOf(
  { peakHourExecutions, peakHourRuns }: Day,
  { cpuSeconds }: CapacityCosts,
  name: ProcessName,
): number {
  const hits = Math.max(0, peakHourExecutions - peakHourRuns);
  return (hits * cpuSeconds.hit[name] + peakHourRuns * cpuSeconds.run[name]) / hourSeconds;
}
