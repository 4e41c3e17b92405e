/** A station of `servers` equal servers with one queue, as the formulas see it. */
export interface Offered {
  readonly arrivalsPerSecond: number;
  readonly serviceSeconds: number;
  readonly servers: number;
  /** Standard deviation of the service times over their mean: 0 always the same, 1 exponential. */
  readonly variation?: number;
}

export interface Waiting {
  /** Servers in use on average, by Little's law: arrival rate times mean seconds. */
  readonly inUse: number;
  /** The share of its servers that is in use; from 1 on the queue grows without end. */
  readonly utilization: number;
  /** The share of arrivals that wait. */
  readonly waitProbability: number;
  readonly meanSeconds: number;
  readonly p95Seconds: number;
}

/**
 * What arrivals at random wait for. Exact for exponential service (M/M/c); otherwise the approximation of Allen and
 * Cunneen, which is exact for one server (Pollaczek and Khinchine).
 */
export function waitingOf({ arrivalsPerSecond, serviceSeconds, servers, variation = 1 }: Offered): Waiting {
  const inUse = arrivalsPerSecond * serviceSeconds;
  const utilization = inUse / servers;
  if (utilization >= 1) {
    return { inUse, utilization, waitProbability: 1, meanSeconds: Infinity, p95Seconds: Infinity };
  }
  const waitProbability = erlangC(inUse, servers);
  const spread = (1 + variation ** 2) / 2;
  const meanOfThoseWhoWait = (spread * serviceSeconds) / (servers - inUse);
  return {
    ...{ inUse, utilization, waitProbability },
    meanSeconds: waitProbability * meanOfThoseWhoWait,
    p95Seconds: meanOfThoseWhoWait * Math.max(0, Math.log(waitProbability / 0.05)),
  };
}

/** The share of arrivals that wait for one of `servers`, at an offered load in Erlangs below their number. */
export function erlangC(load: number, servers: number): number {
  if (load === 0) return 0;
  const blocked = erlangB(load, servers);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

/** The share of arrivals that find all servers taken where nobody waits; by its recursion, as factorials overflow. */
export function erlangB(load: number, servers: number): number {
  let blocked = 1;
  for (let count = 1; count <= servers; count += 1) blocked = (load * blocked) / (count + load * blocked);
  return blocked;
}

/** What a station is held to. */
export interface Bounds {
  readonly utilizationMax: number;
  readonly waitP95SecondsMax: number;
}

/** The fewest servers that keep to the bounds. */
export function fewestServers(
  offered: Omit<Offered, 'servers'>,
  { utilizationMax, waitP95SecondsMax }: Bounds,
): number {
  const inUse = offered.arrivalsPerSecond * offered.serviceSeconds;
  let servers = Math.max(1, Math.ceil(inUse / utilizationMax));
  while (waitingOf({ ...offered, servers }).p95Seconds > waitP95SecondsMax) servers += 1;
  return servers;
}
