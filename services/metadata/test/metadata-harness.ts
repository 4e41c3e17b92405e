import { randomBytes } from 'node:crypto';
import type { DynamicModule } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { CONFIG, databaseSettings, loadConfig } from '#libs/config';
import {
  authRequests,
  workerRequests,
  type AnyRequestContract,
  type RequestOf,
  type ResponseOf,
  type SourceConnection,
  type Table,
} from '#libs/contracts';
import { MasterKeys, newDataKey } from '#libs/encryption';
import { AppError, SystemClock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import { testPooling } from '#libs/testing';
import { MetadataModule } from '../src/metadata.module.js';

const masterKeysText = `k1:${randomBytes(32).toString('base64')}`;
export const masterKeys = MasterKeys.parse(masterKeysText);

/** Auth and the workers, as metadata sees them. */
export class FakeBus {
  jwksJson = '{"keys":[]}';
  readonly asked: { pattern: string; input: unknown; ttlMs: number | undefined }[] = [];
  private readonly dataKeys = new Map<string, ReturnType<typeof newDataKey>>();
  readSchema: (source: SourceConnection) => Promise<Table[]> = async () => [];
  testSource: (source: SourceConnection) => Promise<{ latencyMs: number; serverVersion: string }> = async () => ({
    latencyMs: 1,
    serverVersion: '18',
  });
  tryStatements: (
    input: RequestOf<typeof workerRequests.tryStatements>,
  ) => Promise<ResponseOf<typeof workerRequests.tryStatements>> = async () => ({});

  async request(
    contract: AnyRequestContract,
    input: RequestOf<typeof workerRequests.tryStatements> & { workspaceId: string; source: SourceConnection },
    { ttlMs, context }: { ttlMs?: number; context: { actor: { case: string; value: string } } },
  ): Promise<unknown> {
    this.asked.push({ pattern: contract.pattern, input, ttlMs });
    if (context.actor.case !== 'service') throw new AppError('auth.forbidden', 'Only services.');
    switch (contract.pattern) {
      case authRequests.getSigningKeys.pattern:
        return { jwksJson: this.jwksJson };
      case authRequests.listRevocations.pattern:
        return { revision: 1, revocations: [], now: new Date() };
      case authRequests.getDataKey.pattern:
        return this.dataKeyOf(input.workspaceId);
      case authRequests.ensureGroups.pattern:
        return {};
      case workerRequests.readSchema.pattern:
        return { tables: await this.readSchema(input.source) };
      case workerRequests.testSource.pattern:
        return this.testSource(input.source);
      case workerRequests.tryStatements.pattern:
        return this.tryStatements(input);
      default:
        throw new Error(`nobody answers ${contract.pattern}`);
    }
  }

  count(contract: AnyRequestContract): number {
    return this.asked.filter((each) => each.pattern === contract.pattern).length;
  }

  private dataKeyOf(workspaceId: string) {
    const known = this.dataKeys.get(workspaceId) ?? newDataKey(masterKeys, workspaceId);
    this.dataKeys.set(workspaceId, known);
    return known;
  }
}

/** Connections to one Redis for all roles. */
export function connectRedis(url: string): RedisConnections {
  const settings = { url, username: undefined, password: undefined };
  const silent = { info: () => undefined, warn: () => undefined };
  return new RedisConnections(
    { prefix: 'test', broker: settings, session: settings, cache: { ...settings, url: undefined } },
    silent,
  );
}

/** The whole service on a database of its own, with auth and the workers played by `bus`. */
export function metadataRoot(databaseUrl: string, bus: FakeBus, redis: RedisConnections): DynamicModule {
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  const config = {
    database: loadConfig(databaseSettings('metadata'), {
      SLUICE_DATABASE_URL: databaseUrl,
      SLUICE_DATABASE_POOLING: testPooling,
    }),
    masterKeys: masterKeysText,
    dataKeyMaxAgeSeconds: 300,
    audit: { allowedNetworks: ['127.0.0.0/8'], timeoutMs: 1_000, pollMs: 50, sweepSeconds: 3_600 },
  };
  const shared = [
    { provide: CONFIG, useValue: config },
    { provide: AppLogger, useValue: logger },
    { provide: MetricsRegistry, useValue: new MetricsRegistry('metadata') },
    { provide: HealthRegistry, useValue: new HealthRegistry() },
    { provide: Lifecycle, useValue: new Lifecycle(logger) },
    { provide: BusClient, useValue: bus },
    { provide: CLOCK, useValue: new SystemClock() },
    { provide: RedisConnections, useValue: redis },
  ];
  const sharedModule: DynamicModule = {
    module: class SharedModule {},
    global: true,
    providers: shared,
    exports: shared.map(({ provide }) => provide),
  };
  return { module: class RootModule {}, imports: [sharedModule, MetadataModule] };
}
