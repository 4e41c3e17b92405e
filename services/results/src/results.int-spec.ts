import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type INestMicroservice } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppErrorFilter, BusClient, BusMetrics, BusServer, serviceContext, type MessageContext } from '#libs/bus';
import { CONFIG, loadConfig } from '#libs/config';
import { envelopeCodec, resultsRequests, runFinished, type Column, type RunFinished } from '#libs/contracts';
import { accessTokenForm, IDENTITY_AUTHORITY } from '#libs/identity';
import { newId, SystemClock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { decodePage, encodePage } from '#libs/result-store';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import {
  startPostgres,
  startRedis,
  testPageStore,
  testPooling,
  until,
  type PostgresServer,
  type RedisServer,
} from '#libs/testing';
import { resultsConfig, type ResultsConfig } from './results.config.js';
import { ResultsModule } from './results.module.js';

const columns: Column[] = [{ name: 'n', type: 'INTEGER', nullable: false }];
const workspaceId = newId('workspace');

let postgres: PostgresServer;
let redis: RedisServer;
let root: string;
let app: INestMicroservice;
let service: BusClient;
let client: BusClient;
let connections: RedisConnections;
let signingKey: CryptoKey;

beforeAll(async () => {
  [postgres, redis, root] = await Promise.all([
    startPostgres(),
    startRedis(),
    mkdtemp(join(tmpdir(), 'sluice-results-')),
  ]);
  const keys = await generateKeyPair('EdDSA', { extractable: true });
  signingKey = keys.privateKey;
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }],
  });
  const config = loadConfig(resultsConfig, {
    SLUICE_DATABASE_URL: await postgres.createDatabase(),
    SLUICE_DATABASE_POOLING: testPooling,
    SLUICE_REDIS_URL: redis.url,
    SLUICE_STORE_DIRECTORY: root,
  });
  app = await startService(config, jwks);
  client = newClient(config, 'test').client;
  client.start();
});

afterAll(async () => {
  await app.get(Lifecycle).drain();
  await app.close();
  await Promise.all([client.stop(), service.stop()]);
  await connections.close();
  await Promise.all([postgres.stop(), redis.stop(), rm(root, { recursive: true, force: true })]);
});

function newClient(config: ResultsConfig, name: string) {
  const logger = AppLogger.create({ service: 'results', instance: name, level: 'silent' });
  const metrics = new MetricsRegistry('results');
  connections ??= new RedisConnections(config.redis, logger);
  const parts = { redis: connections, logger, metrics: new BusMetrics(metrics) };
  return { logger, metrics, parts, client: new BusClient(name, parts) };
}

/** The service as bootstrap makes it, but for auth, whose part this test plays. */
async function startService(config: ResultsConfig, jwks: string): Promise<INestMicroservice> {
  const made = newClient(config, 'results-1');
  service = made.client;
  service.start();
  const provided = [
    { provide: CONFIG, useValue: config },
    { provide: AppLogger, useValue: made.logger },
    { provide: MetricsRegistry, useValue: made.metrics },
    { provide: HealthRegistry, useValue: new HealthRegistry() },
    { provide: Lifecycle, useValue: new Lifecycle(made.logger) },
    { provide: CLOCK, useValue: new SystemClock() },
    { provide: BusClient, useValue: service },
  ];
  class SharedModule {}
  Module({})(SharedModule);
  const shared = {
    module: SharedModule,
    global: true,
    providers: provided,
    exports: provided.map((each) => each.provide),
  };
  const authority = {
    signingKeys: async () => jwks,
    revocations: async () => ({ revision: 0, revocations: [], now: new Date() }),
  };
  const testing = Test.createTestingModule({ imports: [shared, ResultsModule] });
  const module = await testing.overrideProvider(IDENTITY_AUTHORITY).useValue(authority).compile();
  const microservice = module.createNestMicroservice({
    strategy: new BusServer({ service: 'results' }, service, made.parts),
  });
  microservice.useGlobalFilters(new AppErrorFilter());
  await microservice.listen();
  return microservice;
}

async function caller(of: string): Promise<MessageContext> {
  const seconds = Date.now() / 1_000;
  const token = await new SignJWT({ wsp: of, scope: '', groups: [], iat: seconds, exp: seconds + 60 })
    .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: 'k1' })
    .setIssuer(accessTokenForm.issuer)
    .setAudience(accessTokenForm.audience)
    .setSubject(newId('user'))
    .sign(signingKey);
  return { workspaceId: of, requestId: newId('request'), actor: { case: 'accessToken', value: token } };
}

const worker = { context: serviceContext('worker', workspaceId) };
const orchestrator = { context: serviceContext('orchestrator', workspaceId) };

function newRun() {
  return { workspaceId, runId: newId('run'), fence: 1 };
}

async function commitPage(run: ReturnType<typeof newRun>): Promise<void> {
  const { byteCount, checksum } = await testPageStore(root).put({ ...run, page: 0 }, await encodePage(['[1]', '[2]']));
  const page = { number: 0, firstRow: 0, rowCount: 2, byteCount, checksum };
  expect(await client.request(resultsRequests.commitPage, { ...run, page, columns }, worker)).toEqual({
    accepted: true,
  });
}

describe('over the bus', () => {
  it('a page that a worker has committed is found by a caller of the workspace while the query still runs', async () => {
    const run = newRun();
    await commitPage(run);
    const context = await caller(workspaceId);
    const asked = { runId: run.runId, fromRow: 1, rowCount: 10 };
    const { manifest, pages } = await client.request(resultsRequests.locatePages, asked, { context });
    expect(manifest).toMatchObject({ ...run, state: 'WRITING', rowCount: 2, columns });
    const [page] = pages;
    const bytes = await testPageStore(root).get(
      { ...run, page: page?.number ?? -1 },
      page?.checksum ?? new Uint8Array(),
    );
    expect((await decodePage(bytes)).slice(0, 2)).toBe('[1],[2]');
  });

  it('an inline result comes back with its manifest, byte for byte', async () => {
    const run = newRun();
    const inline = await encodePage(['[1]']);
    const seal = { ...run, columns, rowCount: 1, byteCount: inline.length, truncated: false, pageCount: 0, inline };
    expect(await client.request(resultsRequests.sealResult, seal, worker)).toEqual({ accepted: true });
    const asked = { runIds: [run.runId], withoutRows: false };
    const { manifests } = await client.request(resultsRequests.getManifests, asked, {
      context: await caller(workspaceId),
    });
    expect(Buffer.from(manifests[0]?.inline ?? [])).toEqual(Buffer.from(inline));
    expect(manifests[0]?.expiresAt?.getTime()).toBeGreaterThan(Date.now());
  });

  it('another workspace finds nothing, whatever run it names', async () => {
    const run = newRun();
    await commitPage(run);
    const context = await caller(newId('workspace'));
    expect(
      await client.request(resultsRequests.getManifests, { runIds: [run.runId], withoutRows: false }, { context }),
    ).toEqual({
      manifests: [],
    });
    const located = await client.request(
      resultsRequests.locatePages,
      { runId: run.runId, fromRow: 0, rowCount: 1 },
      { context },
    );
    expect(located).toEqual({ manifest: undefined, pages: [] });
  });

  it('each request is for those it is meant for, and for nobody else', async () => {
    const run = newRun();
    const asCaller = { context: await caller(workspaceId) };
    const page = { number: 0, firstRow: 0, rowCount: 1, byteCount: 1, checksum: createHash('sha256').digest() };
    const forbidden = { code: 'auth.forbidden' };
    await expect(client.request(resultsRequests.commitPage, { ...run, page, columns }, asCaller)).rejects.toMatchObject(
      forbidden,
    );
    await expect(
      client.request(resultsRequests.commitPage, { ...run, page, columns }, orchestrator),
    ).rejects.toMatchObject(forbidden);
    await expect(client.request(resultsRequests.fenceRun, run, worker)).rejects.toMatchObject(forbidden);
    await expect(client.request(resultsRequests.getStore, {}, asCaller)).rejects.toMatchObject(forbidden);
    const reading = client.request(resultsRequests.getManifests, { runIds: [run.runId], withoutRows: true }, worker);
    await expect(reading).rejects.toMatchObject({ code: 'auth.unauthenticated' });
  });

  it('workers and gateways learn which store they must see', async () => {
    const { identity } = await client.request(resultsRequests.getStore, {}, worker);
    await expect(testPageStore(root).prove(identity)).resolves.toBeUndefined();
  });

  it('the end of a failed run, told twice, closes what it wrote as a part, once', async () => {
    const run = newRun();
    await commitPage(run);
    const event = { ...run, state: 'FAILED' } as const;
    const messageId = newId('message');
    await publish(messageId, event);
    await publish(messageId, event);
    const context = await caller(workspaceId);
    const asked = { runIds: [run.runId], withoutRows: true };
    const partial = await until(async () => {
      const { manifests } = await client.request(resultsRequests.getManifests, asked, { context });
      return manifests[0]?.state === 'PARTIAL' && manifests[0];
    });
    expect(partial).toMatchObject({ rowCount: 2 });
    const fenced = await client.request(resultsRequests.fenceRun, run, orchestrator);
    expect(fenced).toEqual({ sealed: false, pagesCommitted: 1, rowCount: 2, byteCount: partial.byteCount });
    const { pages } = await client.request(
      resultsRequests.locatePages,
      { runId: run.runId, fromRow: 0, rowCount: 9 },
      { context },
    );
    expect(pages).toHaveLength(1);
  });
});

async function publish(id: string, event: RunFinished): Promise<void> {
  const envelope = envelopeCodec.encode({
    ...{ id, kind: 'EVENT', type: runFinished.type, version: 1, workspaceId, requestId: newId('request'), ttlMs: 0 },
    ...{ traceparent: '', tracestate: '', idempotencyKey: '', replyTo: '', inReplyTo: '', failure: undefined },
    actor: { kind: { case: 'service', value: 'orchestrator' } },
    payload: runFinished.codec.encode(event),
  });
  await connections.client('broker').xadd(connections.keys.events('run', 1), '*', 'e', Buffer.from(envelope));
}
