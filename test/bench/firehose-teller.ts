import { pathToFileURL } from 'node:url';
import { BusClient, BusMetrics } from '#libs/bus';
import { runChanged, type RunChanged } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { RunPlace } from './api.ts';
import type { Installation } from './installation.ts';

/** Tells the gateways of runs, as the orchestrator does, over the installation's own Redis. */
export class FirehoseTeller {
  private readonly redis: RedisConnections;
  private readonly bus: BusClient;

  static async open(mesh: Installation): Promise<FirehoseTeller> {
    const teller = new FirehoseTeller(mesh);
    await teller.redis.client('broker').ping();
    return teller;
  }

  private constructor(mesh: Installation) {
    // The default user, who may do what every service may.
    const broker = {
      url: pathToFileURL(mesh.brokerSocket()).href.replace(/^file:/, 'unix:'),
      password: mesh.secrets().redisPassword,
    };
    const logger = AppLogger.create({ service: 'orchestrator', instance: 'bench', level: 'warn' });
    this.redis = new RedisConnections({ prefix: 'sluice', broker, session: broker, cache: {} }, logger);
    const metrics = new BusMetrics(new MetricsRegistry('orchestrator'));
    this.bus = new BusClient('bench', { redis: this.redis, logger, metrics });
  }

  /** That a run has reached this version, and is running. */
  async tell({ runId, workspaceId }: RunPlace, version: number): Promise<void> {
    const level: RunChanged = {
      ...{ runId, workspaceId, state: 'RUNNING', version, fence: 1, rows: 0, bytes: 0, attempts: 1 },
      changedAt: new Date(),
      startedAt: new Date(),
      wasLeft: false,
    };
    await this.bus.tell(runChanged, runId, level);
  }

  close(): Promise<void> {
    return this.redis.close();
  }
}
