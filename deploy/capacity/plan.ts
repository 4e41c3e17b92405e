import type { CapacityCosts, ProcessName } from './costs.ts';
import { ratesOf, type Demand, type Rates } from './demand.ts';
import { fewestServers, waitingOf } from './erlang.ts';
import type { PlannedService, PlanSettings } from './planned-service.ts';
import { sizesOf, type Sizes } from './sizes.ts';

export interface Plan {
  readonly demand: Demand;
  readonly rates: Rates;
  readonly services: readonly PlannedService[];
  readonly slots: { readonly inUse: number; readonly planned: number; readonly waitP95Seconds: number };
  readonly machines: number;
  readonly sizes: Sizes;
  /** What replicas alone do not mend. */
  readonly warnings: readonly string[];
}

/** Redis runs its commands on one thread: it is not multiplied but divided, by role or in a Cluster. */
const singleThreaded: readonly ProcessName[] = ['redis-broker', 'redis-cache'];

/** From what is asked to what must stand ready, by queueing formulas. */
export function planFor(demand: Demand, costs: CapacityCosts, settings: PlanSettings): Plan {
  const rates = ratesOf(demand);
  const slots = planSlots(demand, rates, costs, settings);
  // The keys of the costs' own table.
  const names = Object.keys(costs.cpuSeconds.hit) as ProcessName[];
  const services = names.map((name) => planService(name, rates, costs, settings, slots.planned));
  const sizes = sizesOf({ demand, rates, services, costs, settings });
  return {
    ...{ demand, rates, services, slots, sizes },
    machines: machinesFor(services, sizes, settings),
    warnings: warningsOf(services, sizes),
  };
}

export function slotSeconds({ querySeconds }: Demand, { slotOverheadSeconds }: CapacityCosts): number {
  return querySeconds + slotOverheadSeconds;
}

/** Slots in use are arrival rate times mean seconds, and never the one divided by the other. */
function planSlots(demand: Demand, { runsPerSecond }: Rates, costs: CapacityCosts, settings: PlanSettings) {
  const offered = {
    arrivalsPerSecond: runsPerSecond,
    serviceSeconds: slotSeconds(demand, costs),
    variation: demand.queryVariation,
  };
  // A question that runs may wait for a slot by a tenth of what its query takes, at most a second.
  const waitP95SecondsMax = Math.min(1, Math.max(0.1, demand.querySeconds / 10));
  const needed = fewestServers(offered, { ...settings, waitP95SecondsMax });
  const workers = Math.max(2, Math.ceil(needed / settings.slotsPerWorker) + 1);
  const planned = workers * settings.slotsPerWorker;
  const { inUse, p95Seconds } = waitingOf({ ...offered, servers: planned });
  return { inUse, planned, waitP95Seconds: p95Seconds };
}

function planService(
  name: ProcessName,
  { hitsPerSecond, runsPerSecond, questionsPerSecond, activeUsers }: Rates,
  { cpuSeconds }: CapacityCosts,
  settings: PlanSettings,
  slots: number,
): PlannedService {
  const inUse = hitsPerSecond * cpuSeconds.hit[name] + runsPerSecond * cpuSeconds.run[name];
  const offered = {
    arrivalsPerSecond: questionsPerSecond,
    serviceSeconds: questionsPerSecond === 0 ? 0 : inUse / questionsPerSecond,
  };
  const byCpu = fewestServers(offered, settings);
  const least: Partial<Record<ProcessName, number>> = {
    gateway: Math.ceil(activeUsers / (settings.socketsPerGateway * settings.utilizationMax)),
    worker: slots / settings.slotsPerWorker - 1,
  };
  const needed = Math.max(byCpu, least[name] ?? 1);
  const replicas = singleThreaded.includes(name) ? needed : Math.max(2, needed + 1);
  return { name, replicas, needed, inUse, waitP95Seconds: waitingOf({ ...offered, servers: replicas }).p95Seconds };
}

/** By processors and by memory, with one more that may be lost. Workers wait for their sources most of the time. */
function machinesFor(services: readonly PlannedService[], { memoryMb }: Sizes, settings: PlanSettings): number {
  const cores = services.reduce((sum, { inUse }) => sum + inUse, 0) / settings.utilizationMax;
  const megabytes = services.reduce((sum, { name, replicas }) => sum + replicas * (memoryMb[name] ?? 0), 0);
  const memory = megabytes / 1_000 / settings.memoryGbPerMachine / settings.utilizationMax;
  return 1 + Math.max(1, Math.ceil(cores / settings.coresPerMachine), Math.ceil(memory));
}

function warningsOf(services: readonly PlannedService[], { postgresConnections }: Sizes): string[] {
  const redis = services.filter(({ name, needed }) => singleThreaded.includes(name) && needed > 1);
  return [
    ...redis.map(
      ({ name, inUse }) =>
        `${name} would use ${inUse.toFixed(1)} processors and has one thread: a Cluster, or installations apart.`,
    ),
    ...(postgresConnections > 400
      ? [`${postgresConnections} connections of PostgreSQL: put PgBouncer in transaction mode in front.`]
      : []),
  ];
}
