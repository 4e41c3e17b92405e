import type { ProcessName } from './costs.ts';
import type { Bounds } from './erlang.ts';

export interface PlanSettings extends Bounds {
  /** Runs that one worker holds at once: SLUICE_WORKER_SLOTS. */
  readonly slotsPerWorker: number;
  /** SLUICE_GATEWAY_SOCKETS_MAX. */
  readonly socketsPerGateway: number;
  /** SLUICE_DATABASE_POOL_MAX. */
  readonly poolMax: number;
  readonly coresPerMachine: number;
  readonly memoryGbPerMachine: number;
}

/** A service or server: one processor each, as Node and Redis use one; of PostgreSQL, processors. */
export interface PlannedService {
  readonly name: ProcessName;
  /** With one more than the load needs, so that one may be lost, and never fewer than two. */
  readonly replicas: number;
  readonly needed: number;
  /** Processors in use by the load. */
  readonly inUse: number;
  readonly waitP95Seconds: number;
}
