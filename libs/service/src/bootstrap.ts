import type { DynamicModule, INestApplication, INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { AppErrorFilter, BusServer, OutboxRelay } from '#libs/bus';
import { ConfigError, loadLiveConfig, type ConfigDefinition, type ConfigOf, type LiveConfig } from '#libs/config';
import { eventStreams, type EventArea, type ServiceName } from '#libs/contracts';
import { IdentityModule } from '#libs/identity';
import { NestLogger } from './nest-logger.js';
import { startOperationsServer } from './operations-server.js';
import { settledEnvironment } from './settled-environment.js';
import { releaseStartMemory } from './release-start-memory.js';
import { watchConfig } from './watch-config.js';
import { startRuntime, type RuntimeConfig, type ServiceRuntime } from './runtime.js';
import { ServiceModule } from './service-module.js';

interface CommonOptions<D extends ConfigDefinition> {
  config: D;
  module: Type<unknown>;
}

interface BusService<D extends ConfigDefinition> extends CommonOptions<D> {
  name: ServiceName;
}

/** The gateway: it answers no requests of the bus, and listens on a public port. */
interface HttpService<D extends ConfigDefinition> extends CommonOptions<D> {
  name: 'gateway';
  http: (config: ConfigOf<D>) => { host: string; port: number };
  /** Adds to the application before it listens. */
  prepare?: (app: INestApplication, config: ConfigOf<D>) => void | Promise<void>;
}

/** sysexits.h: something was found in an unconfigured or misconfigured state. */
const exitConfig = 78;

/**
 * A service's whole life: settings, log, traces, Redis, bus, modules, port for operators, and at SIGTERM or SIGINT an
 * orderly end. A fault at start is printed and ends the process.
 */
export async function bootstrap<D extends ConfigDefinition>(options: BusService<D> | HttpService<D>): Promise<void> {
  // Whoever has all services read their settings anew means none of them harm: one that starts or drains would end by the signal.
  process.on('SIGHUP', () => undefined);
  const { config: loaded, reload } = await loadOrExit(options.config);
  // Every service's definition holds serviceSettings and redisSettings; startRuntime reads those alone.
  const config = loaded as ConfigOf<D> & RuntimeConfig;
  const runtime = await startRuntime(options.name, config);
  const { logger } = runtime;
  process.on('unhandledRejection', (err) => exitBroken(runtime, err));
  process.on('uncaughtException', (err) => exitBroken(runtime, err));
  try {
    const app = await createApplication(options, config, runtime);
    releaseStartMemory();
    const operations = await startOperationsServer({
      host: config.service.metricsHost,
      port: config.service.metricsPort,
      health: runtime.health,
      metrics: runtime.metrics,
    });
    const endWatch = watchConfig({
      logger,
      reload: async () => reload(await settledEnvironment(options.config)),
      logLevel: () => config.service.logLevel,
    });
    logger.info({ operationsPort: operations.port }, 'started');
    onStopSignal(async () => {
      endWatch();
      runtime.health.startDraining();
      await runtime.lifecycle.drain();
      await app.close();
      await runtime.stop();
      await operations.close();
    }, runtime);
  } catch (err) {
    exitBroken(runtime, err);
  }
}

async function loadOrExit<D extends ConfigDefinition>(definition: D): Promise<LiveConfig<D>> {
  try {
    return loadLiveConfig(definition, await settledEnvironment(definition));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `${error instanceof ConfigError ? message : `The master keys cannot be opened: ${message}`}\n`,
    );
    process.exit(exitConfig);
  }
}

async function createApplication<D extends ConfigDefinition>(
  options: BusService<D> | HttpService<D>,
  config: ConfigOf<D> & RuntimeConfig,
  runtime: ServiceRuntime,
): Promise<INestApplicationContext> {
  const root: DynamicModule = {
    module: class RootModule {},
    imports: [ServiceModule.with(runtime.providers), IdentityModule, options.module],
  };
  const nest = { logger: new NestLogger(runtime.logger), abortOnError: false } as const;
  if (options.name === 'gateway') {
    const app = await NestFactory.create(root, { ...nest, bodyParser: false });
    await options.prepare?.(app, config);
    const { host, port } = options.http(config);
    await app.listen(port, host);
    return app;
  }
  const strategy = new BusServer({ service: options.name }, runtime.client, runtime.busParts);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(root, { ...nest, strategy });
  app.useGlobalFilters(new AppErrorFilter(await translatorFor(options.config)));
  await relayEvents(options.name, { app, strategy }, runtime);
  await app.listen();
  return app;
}

/** What a lost database is to whoever asked; loaded only where there is one. */
async function translatorFor(config: ConfigDefinition): Promise<((error: unknown) => unknown) | undefined> {
  if (!('database' in config)) return undefined;
  const { asDatabaseFault } = await import('#libs/database');
  return asDatabaseFault;
}

/** Carries the service's committed events into its streams, where it has any. */
async function relayEvents(
  service: ServiceName,
  { app, strategy }: { app: INestApplicationContext; strategy: BusServer },
  { busParts, lifecycle }: ServiceRuntime,
): Promise<void> {
  // The keys of the registry's own table.
  const areas = (Object.keys(eventStreams) as EventArea[]).filter((area) => eventStreams[area].publisher === service);
  if (areas.length === 0) return;
  // Loaded only where there is a database: TypeORM costs a gateway and a worker megabytes that they do not need.
  const { OutboxStore } = await import('#libs/database');
  const relay = new OutboxRelay(app.get(OutboxStore, { strict: false }), areas, busParts);
  relay.start();
  lifecycle.onDrain('telling events', async () => {
    // The last requests have events to tell too.
    await strategy.close();
    await relay.stop();
  });
}

function onStopSignal(stop: () => Promise<void>, { logger, drainSeconds }: ServiceRuntime): void {
  let isStopping = false;
  const begin = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    const timer = setTimeout(
      () => {
        logger.error({ drainSeconds }, 'draining took too long');
        logger.flush();
        process.exit(1);
      },
      drainSeconds * 1_000 + 5_000,
    );
    stop().then(
      () => {
        clearTimeout(timer);
        logger.info({}, 'stopped');
        logger.flush();
        process.exit(0);
      },
      (err: unknown) => {
        logger.error({ err }, 'stopping failed');
        logger.flush();
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', begin).on('SIGINT', begin);
}

// A broken invariant: what is in memory can no longer be trusted, and PostgreSQL knows all that counts.
function exitBroken({ logger }: ServiceRuntime, err: unknown): never {
  logger.error({ err }, 'the process cannot go on');
  logger.flush();
  process.exit(1);
}
