import type { CapacityCosts, ProcessName } from './costs.ts';
import type { Plan } from './plan.ts';
import { simulate, type Load, type QuestionKind, type Simulated, type Stop, type System } from './simulation.ts';

/** Enough for the tail to be known; more costs time alone. */
const questions = 200_000;

/**
 * Plays the plan's load against the plan's replicas, whose processors are stations of their own. Formulas see each station
 * by itself, at an even stream of arrivals; here tiles come together and users wait before they ask again.
 */
export function simulatePlan(plan: Plan, costs: CapacityCosts, seed: number): Simulated {
  const { thinkSeconds, questionsPerView, querySeconds } = plan.demand;
  const users = Math.max(1, Math.round(plan.rates.activeUsers));
  const load: Load = { users, thinkSeconds, questionsPerView };
  const seconds = Math.max(20 * querySeconds, questions / Math.max(plan.rates.questionsPerSecond, 1e-3));
  return simulate(plannedSystem(plan, costs), load, {
    warmUpSeconds: Math.max(seconds / 5, 5 * querySeconds),
    seconds,
    seed,
  });
}

function plannedSystem({ services, slots, demand }: Plan, costs: CapacityCosts): System {
  const query: Stop = {
    ...{ station: 'slots', seconds: demand.querySeconds, variation: demand.queryVariation },
    overheadSeconds: costs.slotOverheadSeconds,
  };
  const kind = (name: 'hit' | 'run', share: number, more: readonly Stop[]): QuestionKind => ({
    ...{ name, share },
    stops: [...processorStops(costs, name), pauseOf(costs, name), ...more],
  });
  return {
    stations: {
      ...Object.fromEntries(services.map(({ name, replicas }) => [name, replicas])),
      ...{ pause: Infinity, slots: slots.planned },
    },
    kinds: [kind('hit', demand.hitRatio, []), kind('run', 1 - demand.hitRatio, [query])],
  };
}

function processorStops({ cpuSeconds }: CapacityCosts, kind: 'hit' | 'run'): Stop[] {
  // The keys of the costs' own table.
  const names = Object.keys(cpuSeconds[kind]) as ProcessName[];
  return names
    .filter((name) => cpuSeconds[kind][name] > 0)
    .map((name) => ({ station: name, seconds: cpuSeconds[kind][name], variation: 1 }));
}

/** What a question waits for that is neither processors nor slots: disks, the network, timers. */
function pauseOf({ cpuSeconds, aloneSeconds, slotOverheadSeconds }: CapacityCosts, kind: 'hit' | 'run'): Stop {
  const known = Object.values(cpuSeconds[kind]).reduce((sum, seconds) => sum + seconds, 0);
  const inSlot = kind === 'run' ? slotOverheadSeconds : 0;
  return { station: 'pause', seconds: Math.max(0, aloneSeconds[kind] - known - inSlot), variation: 0 };
}

/** By how much formulas and simulation differ in the slots in use and in the rate, as shares. */
export function disagreementOf(plan: Plan, simulated: Simulated): { slots: number; rate: number } {
  const slots = simulated.stations['slots']?.inUse ?? 0;
  return {
    slots: plan.slots.inUse === 0 ? 0 : slots / plan.slots.inUse - 1,
    rate: simulated.questionsPerSecond / plan.rates.questionsPerSecond - 1,
  };
}
