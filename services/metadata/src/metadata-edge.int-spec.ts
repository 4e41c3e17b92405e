import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppErrorFilter, BusClient, BusMetrics, BusServer, serviceContext, type MessageContext } from '#libs/bus';
import {
  accessRequests,
  auditRecorded,
  auditRequests,
  envelopeCodec,
  metadataRequests,
  requestsByService,
  healthRequests,
  secretRequests,
  type RequestContract,
} from '#libs/contracts';
import { accessTokenForm, permissions, toClaims, type Permission } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import type { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, startRedis, until, type PostgresServer, type RedisServer } from '#libs/testing';
import { connectRedis, FakeBus, metadataRoot } from '../test/metadata-harness.js';

let postgres: PostgresServer;
let redis: RedisServer;
let connections: RedisConnections;
let client: BusClient;
const registry = new MetricsRegistry('metadata');
let app: INestMicroservice;
let signingKey: CryptoKey;

const workspaceId = newId('workspace');
const allPermissions = Object.keys(permissions) as Permission[];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  connections = connectRedis(redis.url);
  const parts = { redis: connections, logger, metrics: new BusMetrics(registry) };
  client = new BusClient('test', parts);
  client.start();
  const pair = await generateKeyPair('EdDSA', { extractable: true });
  signingKey = pair.privateKey;
  const bus = new FakeBus();
  bus.jwksJson = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'EdDSA' }] });
  app = await NestFactory.createMicroservice<MicroserviceOptions>(
    metadataRoot(await postgres.createDatabase(), bus, connections),
    {
      strategy: new BusServer({ service: 'metadata' }, client, parts),
      logger: false,
    },
  );
  app.useGlobalFilters(new AppErrorFilter());
  await app.listen();
});
afterAll(async () => {
  await app.close();
  await client.stop();
  await connections.close();
  await Promise.all([postgres.stop(), redis.stop()]);
});

async function callerWith(granted: readonly Permission[]): Promise<MessageContext> {
  const issuedAt = new Date();
  const expiresAt = new Date(issuedAt.getTime() + 60_000);
  const principal = { userId: newId('user'), workspaceId, permissions: new Set(granted), groups: [] };
  const token = await new SignJWT({ ...toClaims({ ...principal, issuedAt, expiresAt }) })
    .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: 'k' })
    .setIssuer(accessTokenForm.issuer)
    .setAudience(accessTokenForm.audience)
    .sign(signingKey);
  return { workspaceId, actor: { case: 'accessToken', value: token }, requestId: newId('request') };
}

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

const page = { first: 1 };
const id = newId('dataSource');
const rowPolicyId = newId('rowPolicy');
const savedQueryId = newId('savedQuery');
const managers = ['data_source.manage', 'saved_query.manage', 'grant.manage'] as const;

/** Every request, a harmless input, and the permissions any one of which is enough; none: any caller. */
const rules: {
  ask(context: MessageContext): Promise<unknown>;
  name: string;
  needs: readonly Permission[] | 'gateway' | 'orchestrator' | 'results' | 'operator';
}[] = [
  rule(metadataRequests.getDataSources, { ids: [id] }, []),
  rule(metadataRequests.listDataSources, { page }, ['data_source.read']),
  rule(metadataRequests.listTables, { dataSourceId: id, page }, ['data_source.read']),
  rule(metadataRequests.createDataSource, { name: '', type: '' }, ['data_source.manage']),
  rule(metadataRequests.updateDataSource, { id, version: 1, cleared: [] }, ['data_source.manage']),
  rule(metadataRequests.deleteDataSource, { id }, ['data_source.manage']),
  rule(metadataRequests.testDataSource, { id }, ['data_source.manage']),
  rule(metadataRequests.refreshDataSourceSchema, { id }, ['data_source.manage']),
  rule(metadataRequests.getSavedQueries, { ids: [savedQueryId] }, []),
  rule(metadataRequests.listSavedQueries, { page, tags: [] }, ['saved_query.read']),
  rule(metadataRequests.createSavedQuery, { name: '', dataSourceId: '', sql: '', parameters: [], tags: [] }, [
    'saved_query.manage',
  ]),
  rule(metadataRequests.updateSavedQuery, { id: savedQueryId, version: 1, cleared: [] }, ['saved_query.manage']),
  rule(metadataRequests.deleteSavedQuery, { id: savedQueryId }, ['saved_query.manage']),
  rule(metadataRequests.getRowPolicies, { ids: [rowPolicyId] }, ['row_policy.read']),
  rule(metadataRequests.listRowPolicies, { page }, ['row_policy.read']),
  rule(
    metadataRequests.createRowPolicy,
    {
      ...{ name: '', dataSourceId: '', predicate: '', enabled: true },
      ...{ groupNames: [], exemptGroupNames: [], masks: [] },
    },
    ['row_policy.manage'],
  ),
  rule(metadataRequests.updateRowPolicy, { id: rowPolicyId, version: 1, cleared: [] }, ['row_policy.manage']),
  rule(metadataRequests.deleteRowPolicy, { id: rowPolicyId }, ['row_policy.manage']),
  rule(metadataRequests.isSamplable, { dataSourceId: id, name: 'orders' }, 'orchestrator'),
  rule(metadataRequests.getSourcePolicies, { dataSourceId: id }, 'orchestrator'),
  rule(metadataRequests.resolveRunnable, { subject: { case: undefined } }, ['query.run', 'saved_query.run']),
  rule(metadataRequests.getSourceConnections, { ids: [] }, 'orchestrator'),
  rule(metadataRequests.getWorkspaceSettings, {}, []),
  rule(metadataRequests.updateWorkspaceSettings, { version: 1, timeZone: '', cleared: [] }, ['workspace.manage']),
  rule(metadataRequests.listHistoryRetentions, {}, 'orchestrator'),
  rule(metadataRequests.listResultLimits, {}, 'results'),
  rule(auditRequests.recordAccess, { entries: [] }, 'gateway'),
  rule(auditRequests.listAuditEntries, { page }, ['audit.read']),
  rule(auditRequests.exportAuditEntries, { afterSequence: 0, begins: false }, ['audit.read']),
  rule(auditRequests.verifyAuditChain, { afterSequence: 0 }, ['audit.read']),
  rule(auditRequests.updateAuditSettings, { retentionDays: 1, keepsRetention: false }, ['audit.manage']),
  rule(auditRequests.listAuditForwarders, { page }, ['audit.manage']),
  rule(auditRequests.createAuditForwarder, { name: '', url: '', fromBeginning: false }, ['audit.manage']),
  rule(auditRequests.updateAuditForwarder, { id: '', version: 1, name: '' }, ['audit.manage']),
  rule(auditRequests.deleteAuditForwarder, { id: '' }, ['audit.manage']),
  rule(metadataRequests.listWarmUps, { workspaceId: 'wsp_1', limit: 1, afterId: '' }, 'orchestrator'),
  rule(secretRequests.metadata.resealSecrets, { after: '' }, 'operator'),
  rule(healthRequests.metadata.examine, { withDatabase: false }, 'gateway'),
  rule(accessRequests.listRestrictions, { workspaceId: 'wsp_1', knownRevision: 0 }, 'gateway'),
  rule(accessRequests.getAssetAccess, { assetIds: [id] }, []),
  rule(accessRequests.setRestricted, { assetId: id, restricted: true }, managers),
  rule(accessRequests.getGrants, { ids: [] }, managers),
  rule(accessRequests.listGrants, { page, assetId: id }, managers),
  rule(accessRequests.getGroupUses, { name: 'west' }, ['user.manage']),
  rule(accessRequests.createGrant, { assetId: id, grantee: { kind: 'GROUP', key: 'west' }, level: 'RUN' }, managers),
  rule(accessRequests.deleteGrant, { id: newId('grant') }, managers),
];

function rule<Request, Response>(
  contract: RequestContract<Request, Response>,
  input: Request,
  needs: readonly Permission[] | 'gateway' | 'orchestrator' | 'results' | 'operator',
) {
  const ask = (context: MessageContext) => client.request(contract, input, { context });
  return { name: contract.pattern, ask, needs };
}

it('answers every request of its contract', () => {
  expect(rules).toHaveLength(requestsByService.metadata.length);
});

describe.each(rules)('$name', ({ ask, needs }) => {
  it('is refused to services that it is not for', async () => {
    const refused = typeof needs === 'string' ? 'auth.forbidden' : 'auth.unauthenticated';
    const outsiders = needs === 'gateway' ? (['auth', 'results'] as const) : (['gateway', 'worker'] as const);
    for (const service of outsiders) expect(await outcomeOf(ask(serviceContext(service, workspaceId)))).toBe(refused);
  });

  it('is refused to callers who have every permission but the one that it needs', async () => {
    const others = allPermissions.filter((permission) => typeof needs !== 'string' && !needs.includes(permission));
    const outcome = await outcomeOf(ask(await callerWith(typeof needs === 'string' ? allPermissions : others)));
    expect(outcome === 'auth.forbidden').toBe(typeof needs === 'string' || needs.length > 0);
  });

  it('reaches its handler for those whom it is for', async () => {
    const context =
      typeof needs === 'string' ? serviceContext(needs, workspaceId) : await callerWith(needs.slice(0, 1));
    const outcome = await outcomeOf(ask(context));
    expect(outcome).toMatch(
      /^(done|input\.invalid|(source|saved_query|row_policy|asset|grant)\.not_found|audit\.forwarder_not_found)$/,
    );
  });
});

describe.each(rules.filter(({ needs }) => typeof needs !== 'string'))('$name', ({ ask }) => {
  it('is refused to callers whose token is forged or of another workspace', async () => {
    const good = await callerWith(allPermissions);
    const forged = { ...good, actor: { case: 'accessToken' as const, value: 'eyJhbGciOiJub25lIn0.e30.' } };
    expect(await outcomeOf(ask(forged))).toBe('auth.unauthenticated');
    expect(await outcomeOf(ask({ ...good, workspaceId: newId('workspace') }))).toBe('auth.unauthenticated');
  });
});

it('brings a source there and back over the bus, and its secrets to nobody but the orchestrator', async () => {
  const admin = await callerWith(allPermissions);
  const options = { host: '127.0.0.1', database: 'd', user: 'u', password: 'hunter2' };
  const created = await client.request(
    metadataRequests.createDataSource,
    { name: 'Sales', type: 'postgres', options },
    { context: admin },
  );
  const sourceId = created.dataSource?.id ?? '';
  expect(created.dataSource?.options).toEqual({ host: '127.0.0.1', database: 'd', user: 'u' });
  const analyst = await callerWith(['query.run']);
  const { source } = await client.request(
    metadataRequests.resolveRunnable,
    { subject: { case: 'dataSourceId', value: sourceId } },
    { context: analyst },
  );
  expect(source?.secrets?.ciphertext.byteLength).toBeGreaterThan(20);
  expect(Buffer.from(source?.secrets?.ciphertext ?? []).includes('hunter2')).toBe(false);
  const refused = client.request(
    metadataRequests.createDataSource,
    { name: 'x', type: 'postgres', options: { ...options, host: '/tmp', sslkey: 'k' } },
    { context: admin },
  );
  const error: unknown = await refused.catch((reason: unknown) => reason);
  expect(error instanceof AppError && error.issues.map((issue) => issue.path.join('.')).toSorted()).toEqual([
    'options.host',
    'options.sslkey',
  ]);
});

async function retriesOf(kind: string): Promise<number> {
  const retries = await registry.registry.getSingleMetric('sluice_metadata_bus_retries_total')?.get();
  return retries?.values.find(({ labels }) => labels['kind'] === kind)?.value ?? 0;
}

describe('the audit log', () => {
  it('takes a writer’s entries in their order: one that fails holds up those behind it and is not given up', async () => {
    const key = connections.keys.events('audit-auth', 1);
    const broker = connections.client('broker');
    const tell = async (payload: Uint8Array): Promise<void> => {
      const bytes = envelopeCodec.encode({
        ...{ id: newId('message'), kind: 'EVENT', type: auditRecorded.auth.type, version: 1, workspaceId },
        ...{ requestId: 'req_1', traceparent: '', tracestate: '', ttlMs: 0, idempotencyKey: '', replyTo: '' },
        ...{ inReplyTo: '', payload },
      });
      await broker.xadd(key, '*', 'e', Buffer.from(bytes));
    };
    const lag = async (): Promise<unknown> => {
      const [group] = (await broker.xinfo('GROUPS', key)) as unknown[][];
      return group?.[group.indexOf('lag') + 1];
    };
    // No message at all, so that it fails each time; the others are good.
    await tell(Buffer.from([255]));
    for (let each = 0; each < 3; each += 1) await tell(auditRecorded.auth.codec.encode({ entries: [] }));
    await until(async () => Number((await broker.xpending(key, 'metadata'))[0]) > 0);
    // Tried again and again, at its place.
    await until(async () => (await retriesOf('event')) >= 3);
    expect(await lag()).toBe(3);
    expect((await broker.xpending(key, 'metadata'))[0]).toBe(1);
  });
});
