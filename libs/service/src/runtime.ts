import type { ValueProvider } from '@nestjs/common';
import { BusClient, BusMetrics, FirehoseReader } from '#libs/bus';
import { CONFIG } from '#libs/config';
import type { ServiceName } from '#libs/contracts';
import { SystemClock } from '#libs/kernel';
import { policyFault, RedisConnections, type RedisRole, type RedisSettings } from '#libs/redis';
import { AppLogger, HealthRegistry, MetricsRegistry, startTracing, type LogLevel } from '#libs/telemetry';
import { CLOCK } from './clock-token.js';
import { Lifecycle } from './lifecycle.js';

/** The part of every service's configuration that the runtime reads. */
export interface RuntimeConfig {
  readonly service: {
    readonly instance: string;
    readonly metricsHost: string;
    readonly metricsPort: number;
    readonly logLevel: LogLevel;
    readonly otlpUrl: string | undefined;
    readonly traceSampleRatio: number;
    readonly drainSeconds: number;
  };
  readonly redis: RedisSettings;
}

/** What a process has before its modules are made. */
export interface ServiceRuntime {
  readonly logger: AppLogger;
  readonly metrics: MetricsRegistry;
  readonly health: HealthRegistry;
  readonly lifecycle: Lifecycle;
  readonly client: BusClient;
  readonly busParts: ConstructorParameters<typeof BusClient>[1];
  readonly drainSeconds: number;
  /** For injection; see ServiceModule. */
  readonly providers: readonly ValueProvider[];
  /** Closes the bus, Redis and the traces; last of all. */
  stop(): Promise<void>;
}

export async function startRuntime(name: ServiceName | 'gateway', config: RuntimeConfig): Promise<ServiceRuntime> {
  const { instance, logLevel, otlpUrl, traceSampleRatio, drainSeconds } = config.service;
  const logger = AppLogger.create({ service: name, instance, level: logLevel });
  const stopTracing = await startTracing({ service: name, instance, otlpUrl, sampleRatio: traceSampleRatio });
  const metrics = new MetricsRegistry(name);
  metrics.collectProcess();
  const health = new HealthRegistry();
  const redis = new RedisConnections(config.redis, logger, commandObserver(metrics));
  watchRoles(redis, health, logger);
  measureDependencies(metrics, health, redis);
  const busParts = { redis, logger, metrics: new BusMetrics(metrics) };
  const client = new BusClient(instance, busParts);
  client.start();
  const lifecycle = new Lifecycle(logger);
  return {
    ...{ logger, metrics, health, lifecycle, client, busParts, drainSeconds },
    providers: [
      { provide: CONFIG, useValue: config },
      { provide: AppLogger, useValue: logger },
      { provide: MetricsRegistry, useValue: metrics },
      { provide: HealthRegistry, useValue: health },
      { provide: CLOCK, useValue: new SystemClock() },
      { provide: RedisConnections, useValue: redis },
      { provide: BusMetrics, useValue: busParts.metrics },
      { provide: BusClient, useValue: client },
      { provide: FirehoseReader, useValue: new FirehoseReader(busParts) },
      { provide: Lifecycle, useValue: lifecycle },
    ],
    async stop() {
      await client.stop();
      await redis.close();
      await stopTracing();
    },
  };
}

function commandObserver(metrics: MetricsRegistry): ConstructorParameters<typeof RedisConnections>[2] {
  const seconds = metrics.histogram({
    name: 'redis_command_seconds',
    help: 'Time from sending a command to its reply, by role of Redis.',
    labels: ['role', 'command'],
  });
  return (role, command, duration) => seconds.observe({ role, command }, duration);
}

/** What readiness asks, and the roles of Redis that it does not: a service goes on without a cache, and says so here. */
function measureDependencies(metrics: MetricsRegistry, health: HealthRegistry, redis: RedisConnections): void {
  metrics.gauge(
    { name: 'dependency_up', help: 'Whether a dependency can be used: 1 or 0.', labels: ['dependency'] },
    async (gauge) => {
      const { checks } = await health.readiness();
      gauge.reset();
      for (const role of rolesOf(redis)) gauge.set({ dependency: `redis-${role}` }, Number(redis.isReady(role)));
      for (const [dependency, { ok }] of Object.entries(checks)) gauge.set({ dependency }, Number(ok));
    },
  );
}

function rolesOf(redis: RedisConnections): RedisRole[] {
  const roles: readonly RedisRole[] = ['broker', 'session', 'cache'];
  return roles.filter((each) => redis.has(each));
}

/** Readiness asks the broker; a policy that does not fit its role is said once, loudly, and again at each restart. */
function watchRoles(redis: RedisConnections, health: HealthRegistry, logger: AppLogger): void {
  health.register('redis-broker', () => redis.ping('broker'));
  for (const role of rolesOf(redis)) {
    policyFault(redis.client(role), role).then(
      (fault) => fault !== undefined && logger.error({ role }, fault),
      (err: unknown) => logger.warn({ err, role }, 'the eviction policy could not be asked for'),
    );
  }
}
