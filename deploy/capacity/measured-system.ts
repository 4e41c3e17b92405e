import type { CapacityCosts } from './costs.ts';
import type { Stop, System } from './simulation.ts';

export interface Machine {
  readonly cores: number;
  readonly slots: number;
  readonly hitRatio: number;
  /** Of a query at its source, whose times vary by this much. */
  readonly querySeconds: number;
  readonly queryVariation: number;
  /** What asking costs on the same machine. */
  readonly clientCpuSeconds: { readonly hit: number; readonly run: number };
}

/**
 * Everything on one machine, whose processors are one station: a question takes its processor time there, waits its time
 * for disks and hops where nobody is in its way, and holds a slot for as long as its query runs.
 */
export function measuredSystem(costs: CapacityCosts, machine: Machine): System {
  const { cores, slots, hitRatio, querySeconds, queryVariation } = machine;
  const [hit, run] = [stopsOf(costs, machine, 'hit'), stopsOf(costs, machine, 'run')];
  const query = {
    ...{ station: 'slots', seconds: querySeconds, variation: queryVariation },
    overheadSeconds: costs.slotOverheadSeconds,
  };
  return {
    stations: { cores, pause: Infinity, slots },
    kinds: [
      { name: 'hit', share: hitRatio, stops: hit },
      { name: 'run', share: 1 - hitRatio, stops: [...run, query] },
    ],
  };
}

function stopsOf(costs: CapacityCosts, { clientCpuSeconds }: Machine, kind: 'hit' | 'run'): Stop[] {
  const ours = Object.values(costs.cpuSeconds[kind]).reduce((sum, seconds) => sum + seconds, 0);
  const seconds = ours + clientCpuSeconds[kind];
  const inSlot = kind === 'run' ? costs.slotOverheadSeconds : 0;
  const pause = Math.max(0, costs.aloneSeconds[kind] - seconds - inSlot);
  return [
    { station: 'cores', seconds, variation: 1 },
    { station: 'pause', seconds: pause, variation: 0 },
  ];
}
