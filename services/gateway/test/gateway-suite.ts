import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { BusClient } from '#libs/bus';
import { loadConfig } from '#libs/config';
import {
  authRequests,
  metadataRequests,
  resultsRequests,
  rowsCommitted,
  runChanged,
  runRequests,
  type Revocation,
} from '#libs/contracts';
import { accessTokenForm, toClaims, type Principal } from '#libs/identity';
import type { PageStore } from '#libs/result-store';
import { startRedis, testMasterKeys, testPageStore } from '#libs/testing';
import { gatewayConfig } from '../src/gateway.config.js';
import { FakeRun, userId, workspaceId } from './fake-run.js';
import { FakeServices, partsOf } from './fake-services.js';
import { TestGateway } from './gateway-harness.js';

interface Parts {
  readonly redisUrl: string;
  readonly services: FakeServices;
  readonly gateway: TestGateway;
  readonly other: TestGateway;
  readonly teller: BusClient;
  readonly store: PageStore;
  readonly signingKey: CryptoKey;
  readonly authorization: string;
  readonly runs: Map<string, FakeRun>;
  readonly revoked: Revocation[];
  readonly startMore: (name: string) => Promise<TestGateway>;
}

/** Two gateways on a real bus, one signed-in caller, and the runs that a test makes and moves on. */
export class GatewaySuite {
  readonly services: FakeServices;
  readonly gateway: TestGateway;
  readonly other: TestGateway;
  /** Of a caller who may run queries. */
  readonly authorization: string;
  /** What auth tells of revoked sessions, keys and users. */
  readonly revoked: Revocation[];

  private constructor(
    private readonly parts: Parts,
    private readonly closing: readonly (() => Promise<unknown>)[],
  ) {
    ({ services: this.services, gateway: this.gateway, other: this.other } = parts);
    ({ authorization: this.authorization, revoked: this.revoked } = parts);
  }

  /** `settings` come over those that most tests have. */
  static async start(settings: Record<string, string> = {}): Promise<GatewaySuite> {
    const redis = await startRedis();
    const directory = await mkdtemp(join(tmpdir(), 'sluice-gateway-'));
    const store = testPageStore(directory);
    await store.mark('store-1');
    const { privateKey: signingKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' };
    const runs = new Map<string, FakeRun>();
    const revoked: Revocation[] = [];
    const services = new FakeServices(redis.url);
    answerForCaller(services, jwk, revoked);
    answerForRuns(services, runs);
    services.start();
    const bus = partsOf('teller', redis.url);
    const teller = new BusClient('teller-1', bus);
    const cursorKey = randomBytes(32).toString('base64');
    const startGateway = (name: string): Promise<TestGateway> =>
      TestGateway.start(
        loadConfig(gatewayConfig, {
          SLUICE_REDIS_URL: redis.url,
          SLUICE_GATEWAY_INSTANCE: name,
          SLUICE_STORE_DIRECTORY: directory,
          SLUICE_GATEWAY_CURSOR_KEYS: `k1:${cursorKey}`,
          SLUICE_MASTER_KEYS: testMasterKeys,
          SLUICE_GATEWAY_ALLOWED_ORIGINS: 'https://app.example.com',
          SLUICE_GATEWAY_SUBSCRIPTIONS_PER_SOCKET_MAX: '3',
          SLUICE_GATEWAY_SOCKETS_SIGNED_OUT_PER_ADDRESS_MAX: '20',
          SLUICE_DRAIN_SECONDS: '1',
          ...settings,
        }),
        redis.url,
      );
    const more: TestGateway[] = [];
    const gateway = await startGateway('gateway-1');
    const other = await startGateway('gateway-2');
    const authorization = `Bearer ${await signToken(signingKey)}`;
    const startMore = async (name: string): Promise<TestGateway> => {
      const started = await startGateway(name);
      more.push(started);
      return started;
    };
    const parts = {
      redisUrl: redis.url,
      services,
      gateway,
      other,
      teller,
      store,
      signingKey,
      authorization,
      runs,
      revoked,
      startMore,
    };
    return new GatewaySuite(parts, [
      async () => Promise.all(more.map((each) => each.stop())),
      () => gateway.stop(),
      () => other.stop(),
      () => services.stop(),
      () => bus.redis.close(),
      () => redis.stop(),
      () => rm(directory, { recursive: true }),
    ]);
  }

  /** Before each test: what the other services have been asked. */
  forget(): void {
    this.services.asked.length = 0;
  }

  tokenFor(principal: Partial<Principal> = {}): Promise<string> {
    return signToken(this.parts.signingKey, principal);
  }

  /** The Redis of all of them. */
  get redisUrl(): string {
    return this.parts.redisUrl;
  }

  /** Another gateway, as a rolling restart starts one; it is stopped with the suite. */
  startGateway(name: string): Promise<TestGateway> {
    return this.parts.startMore(name);
  }

  newRun(): FakeRun {
    const run = new FakeRun(this.parts.store);
    this.parts.runs.set(run.execution.id, run);
    return run;
  }

  async tell(run: FakeRun): Promise<void> {
    const { runId, state, version, fence, rows, bytes, attempts, startedAt, finishedAt } = run.execution;
    const level = { state, version, fence, rows, bytes, attempts, startedAt, finishedAt };
    const message = { runId, workspaceId, ...level, wasLeft: false, changedAt: new Date() };
    await this.parts.teller.tell(runChanged, runId, message);
  }

  /** Tells of a change in such a way that only a read can say which. */
  async doubt(run: FakeRun): Promise<void> {
    run.move('RUNNING');
    run.move('QUEUED');
    await this.tell(run);
  }

  async tellRows(run: FakeRun): Promise<void> {
    const { runId } = run.execution;
    const message = { runId, workspaceId, fence: 1, rows: run.rowCount, bytes: 0 };
    await this.parts.teller.tell(rowsCommitted, runId, message);
  }

  async stop(): Promise<void> {
    for (const close of this.closing) await close();
  }
}

async function signToken(signingKey: CryptoKey, principal: Partial<Principal> = {}): Promise<string> {
  const now = Date.now();
  const claims = toClaims({
    userId,
    workspaceId,
    permissions: new Set(['query.run']),
    groups: [],
    issuedAt: new Date(now),
    expiresAt: new Date(now + 60_000),
    ...principal,
  });
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: 'k1' })
    .setIssuer(accessTokenForm.issuer)
    .setAudience(accessTokenForm.audience)
    .sign(signingKey);
}

function answerForCaller(services: FakeServices, jwk: JWK, revocations: Revocation[]): void {
  services.on(authRequests.getSigningKeys, () => ({ jwksJson: JSON.stringify({ keys: [jwk] }) }));
  services.on(authRequests.listRevocations, () => ({ revision: revocations.length, revocations, now: new Date() }));
  services.on(authRequests.getViewer, () => ({
    id: 'viewer-1',
    workspace: { id: workspaceId, slug: 'acme', name: 'Acme', createdAt: new Date(0) },
    permissions: ['query.run'],
  }));
  services.on(metadataRequests.getDataSources, () => ({ dataSources: [] }));
}

function answerForRuns(services: FakeServices, runs: ReadonlyMap<string, FakeRun>): void {
  const runOf = (runId: string): FakeRun | undefined =>
    [...runs.values()].find(({ execution }) => execution.runId === runId);
  services.on(runRequests.getExecutions, ({ ids }) => ({
    executions: ids.flatMap((id) => runs.get(id)?.execution ?? []),
  }));
  services.on(runRequests.getVersions, ({ executionIds }) => ({
    versions: executionIds.flatMap((executionId) => {
      const execution = runs.get(executionId)?.execution;
      return execution ? [{ executionId, version: execution.version, fence: 1 }] : [];
    }),
  }));
  services.on(resultsRequests.getStore, () => ({ identity: 'store-1' }));
  services.on(resultsRequests.getManifests, ({ runIds, withoutRows }) => {
    const manifests = runIds.flatMap((id) => runOf(id)?.manifest ?? []);
    return { manifests: withoutRows ? manifests.map((one) => ({ ...one, inline: undefined })) : manifests };
  });
  services.on(resultsRequests.locatePages, ({ runId, fromRow, rowCount }) => {
    const run = runOf(runId);
    return { manifest: run?.manifest, pages: run?.locate(fromRow, rowCount) ?? [] };
  });
}
