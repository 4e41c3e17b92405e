import type { CapacityCosts } from './costs.ts';
import type { Demand, Rates } from './demand.ts';
import type { PlannedService, PlanSettings } from './planned-service.ts';

export interface RedisSize {
  readonly role: 'broker' | 'session' | 'cache';
  /** What it holds under the load. */
  readonly usedMb: number;
  readonly maxmemoryMb: number;
  /** Of the machine or container: a snapshot or rewrite forks, and every page that is written meanwhile is there twice. */
  readonly machineMb: number;
}

export interface Sizes {
  readonly memoryMb: Readonly<Record<string, number>>;
  readonly postgresConnections: number;
  readonly redisConnections: number;
  readonly sourceConnections: number;
  readonly redis: readonly RedisSize[];
  readonly historyGbPerDay: number;
  readonly resultsGbPerDay: number;
}

interface Known {
  readonly demand: Demand;
  readonly rates: Rates;
  readonly services: readonly PlannedService[];
  readonly costs: CapacityCosts;
  readonly settings: PlanSettings;
}

/** Those with a pool of connections of their own. */
const withDatabase = ['auth', 'metadata', 'orchestrator', 'results'];
const nodeProcesses = ['gateway', 'worker', ...withDatabase];
/** KiB of a gateway for an open socket with a subscription: `npm run bench -- --only subscriptions`. */
const socketKib = 20.5;
/** What a process is measured to hold, and as much again for what the measured load had not: larger pages, downloads. */
const memoryHeadroom = 2;
/** The longest that readers of events may be away: a rolling restart with its drain. */
const lagSeconds = 600;
/** A token bucket of a user who asks: hash of two fields with key, expiry and dictionary entries. */
const bucketBytes = 512;
const gigabyte = 1e9;

export function sizesOf({ demand, rates, services, costs, settings }: Known): Sizes {
  const replicasOf = (name: string): number => services.find((each) => each.name === name)?.replicas ?? 0;
  const sum = (names: readonly string[]): number => names.reduce((total, name) => total + replicasOf(name), 0);
  const socketsMb = (rates.activeUsers * socketKib) / 1_024 / Math.max(1, replicasOf('gateway'));
  const memoryMb = Object.fromEntries(
    nodeProcesses.map((name) => [
      name,
      Math.ceil((costs.memoryMb[name] ?? 0) * memoryHeadroom + (name === 'gateway' ? socketsMb : 0)),
    ]),
  );
  const daySeconds = demand.busyHours * 3_600;
  const { hit, run } = costs.postgresBytes;
  return {
    memoryMb,
    postgresConnections: sum(withDatabase) * settings.poolMax,
    redisConnections: sum(nodeProcesses) * costs.redis.connectionsPerProcess,
    sourceConnections: replicasOf('worker') * settings.slotsPerWorker,
    redis: redisSizes(rates, costs),
    historyGbPerDay: ((rates.hitsPerSecond * hit + rates.runsPerSecond * run) * daySeconds) / gigabyte,
    resultsGbPerDay: (rates.runsPerSecond * demand.resultBytes * daySeconds) / gigabyte,
  };
}

/**
 * Broker: itself, the events of runs while a reader is away, and a bucket of each active user. Sessions have their truth in
 * PostgreSQL and results theirs in the store, so these roles hold little; 64 MB is the least that is worth a server. With S3 the cache has copies of pages, as
 * many as it is given room for: how many are read again nobody knows before.
 */
function redisSizes({ runsPerSecond, activeUsers }: Rates, { redis }: CapacityCosts): RedisSize[] {
  const broker = redis.brokerBytes + runsPerSecond * lagSeconds * redis.brokerBytesPerRun + activeUsers * bucketBytes;
  return [
    redisSize('broker', broker / 2 ** 20, 2),
    redisSize('session', 1, 2),
    // It is not saved, so it does not fork.
    redisSize('cache', 1, 1),
  ];
}

function redisSize(role: RedisSize['role'], usedMb: number, forkFactor: number): RedisSize {
  // The alert is at 80 percent.
  const maxmemoryMb = Math.max(64, 2 ** Math.ceil(Math.log2(usedMb / 0.8)));
  return { role, usedMb: Math.ceil(usedMb), maxmemoryMb, machineMb: maxmemoryMb * forkFactor + 64 };
}
