import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createClient, type Client } from 'graphql-ws';
import type { FormattedExecutionResult } from 'graphql';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { BusClient, BusMetrics, BusServer, FirehoseReader, type BusContext } from '#libs/bus';
import { CONFIG, loadConfig } from '#libs/config';
import {
  authRequests,
  metadataRequests,
  requestsByService,
  resultsRequests,
  rowsCommitted,
  runChanged,
  runRequests,
  type Execution,
  type Manifest,
  type RequestContract,
  type Revocation,
  type RunState,
  type StoredPage,
  type ServiceName,
} from '#libs/contracts';
import { accessTokenForm, toClaims, type Principal } from '#libs/identity';
import { AppError, newId, SystemClock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { encodePage, PageStore } from '#libs/result-store';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import { startRedis, until, type RedisServer } from '#libs/testing';
import { gatewayConfig, type GatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';

const workspaceId = newId('workspace');
const userId = newId('user');
const sourceId = newId('dataSource');

/** The other services, with the answers that a test gives them, on the real bus. */
class Services {
  readonly asked: string[] = [];
  private readonly answers = new Map<string, (input: unknown, context: BusContext) => unknown>();
  private readonly closing: (() => Promise<unknown>)[] = [];

  constructor(private readonly redisUrl: string) {}

  on<Request, Response>(
    contract: RequestContract<Request, Response>,
    answer: (input: Request, context: BusContext) => Response | Promise<Response>,
  ): void {
    this.answers.set(contract.pattern, answer as (input: unknown, context: BusContext) => unknown);
  }

  start(): void {
    for (const service of ['auth', 'metadata', 'orchestrator', 'results'] as const) this.startOne(service);
  }

  private startOne(service: ServiceName): void {
    const parts = partsOf(service, this.redisUrl);
    const client = new BusClient(`${service}-1`, parts);
    client.start();
    const server = new BusServer({ service }, client, parts);
    for (const { pattern } of requestsByService[service]) {
      server.addHandler(pattern, async (input: unknown, context: BusContext) => this.answer(pattern, input, context));
    }
    // The groups of events that the service would read.
    for (const type of ['sluice.run.v1.RunFinished', 'sluice.metadata.v1.DataSourceChanged']) {
      if (service === (type.includes('run') ? 'results' : 'orchestrator')) {
        server.addHandler(type, async () => undefined, true);
      }
    }
    server.listen((error) => {
      if (error) throw error as Error;
    });
    this.closing.push(async () => {
      await server.close();
      await client.stop();
      await parts.redis.close();
    });
  }

  private async answer(pattern: string, input: unknown, context: BusContext): Promise<unknown> {
    this.asked.push(pattern.split('/')[1] ?? '');
    const answer = this.answers.get(pattern);
    if (!answer) throw new AppError('internal', 'not in this test', { internalMessage: pattern });
    return answer(input, context);
  }

  async stop(): Promise<void> {
    await Promise.all(this.closing.map((close) => close()));
  }
}

function partsOf(service: string, url: string) {
  const logger = AppLogger.create({ service, instance: service, level: 'silent' });
  const redis = new RedisConnections({ prefix: 'test', broker: { url }, session: { url }, cache: {} }, logger);
  return { redis, logger, metrics: new BusMetrics(new MetricsRegistry(service)) };
}

/** One gateway, whole, on a free port. */
class Gateway {
  private constructor(
    private readonly app: INestApplication,
    private readonly lifecycle: Lifecycle,
    private readonly close: () => Promise<void>,
    private readonly metrics: MetricsRegistry,
    readonly port: number,
  ) {}

  static async start(config: GatewayConfig, redisUrl: string): Promise<Gateway> {
    const parts = partsOf('gateway', redisUrl);
    const client = new BusClient(config.service.instance, parts);
    client.start();
    const lifecycle = new Lifecycle(parts.logger);
    const metrics = new MetricsRegistry('gateway');
    const providers = [
      { provide: CONFIG, useValue: config },
      { provide: AppLogger, useValue: parts.logger },
      { provide: MetricsRegistry, useValue: metrics },
      { provide: HealthRegistry, useValue: new HealthRegistry() },
      { provide: CLOCK, useValue: new SystemClock() },
      { provide: BusClient, useValue: client },
      { provide: FirehoseReader, useValue: new FirehoseReader(parts) },
      { provide: Lifecycle, useValue: lifecycle },
    ];
    @Global()
    @Module({ providers, exports: providers.map(({ provide }) => provide) })
    class RuntimeModule {}
    @Module({ imports: [RuntimeModule, GatewayModule] })
    class RootModule {}
    const app = await NestFactory.create(RootModule, { logger: false, bodyParser: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    const close = async (): Promise<void> => {
      await client.stop();
      await parts.redis.close();
    };
    return new Gateway(app, lifecycle, close, metrics, (app.getHttpServer().address() as AddressInfo).port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  async ask(query: string, variables: object = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, headers: response.headers, ...((await response.json()) as Partial<Answer>) };
  }

  /** Pages of rows that were read for pushed events and answers. */
  async pagesRead(): Promise<number> {
    const metric = await this.metrics.registry.getSingleMetric('sluice_gateway_page_lookups_total')?.get();
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
  }

  connect(authorization: string | undefined): Client {
    return createClient({
      url: this.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      lazy: true,
      retryAttempts: 0,
      connectionParams: authorization === undefined ? {} : { authorization },
    });
  }

  drain(): Promise<void> {
    return this.lifecycle.drain();
  }

  async stop(): Promise<void> {
    await this.drain();
    await this.app.close();
    await this.close();
  }
}

interface Answer {
  status: number;
  headers: Headers;
  data?: Record<string, any> | null; // eslint-disable-line @typescript-eslint/no-explicit-any -- an answer of any query
  errors?: { message: string; path?: string[]; extensions: Record<string, unknown> }[];
}

/** A run that the fake orchestrator and results serve, and that a test moves on. */
class Run {
  readonly execution: Execution;
  readonly pages: StoredPage[] = [];
  rowCount = 0;

  constructor(private readonly store: PageStore) {
    this.execution = {
      id: newId('execution'),
      workspaceId,
      runId: newId('run'),
      fence: 1,
      state: 'QUEUED',
      version: 1,
      dataSourceId: sourceId,
      sql: 'select 1',
      priority: 'INTERACTIVE',
      submittedById: userId,
      submittedAt: new Date('2026-01-01T00:00:00Z'),
      rows: 0,
      bytes: 0,
      cacheStatus: 'MISS',
      attempts: 1,
    };
  }

  get isFinal(): boolean {
    return ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'].includes(this.execution.state);
  }

  get manifest(): Manifest {
    return {
      runId: this.execution.runId,
      workspaceId,
      fence: 1,
      state: this.isFinal ? 'COMPLETE' : 'WRITING',
      columns: [
        { name: 'n', type: 'INTEGER', nullable: false },
        { name: 'carrier', type: 'TEXT', nullable: true },
      ],
      rowCount: this.rowCount,
      byteCount: this.rowCount * 10,
      truncated: false,
      inline: this.inline,
    };
  }

  private inline: Uint8Array | undefined;

  private newRows(count: number): string[] {
    return Array.from({ length: count }, (_, index) => JSON.stringify([this.rowCount + index, 'ž\u2028"']));
  }

  /** Rows as a run commits them, in a page of the store. */
  async commitRows(count: number, row?: string): Promise<void> {
    const { runId, fence } = this.execution;
    const number = this.pages.length;
    const bytes = await encodePage(row === undefined ? this.newRows(count) : [row]);
    const stored = await this.store.put({ workspaceId, runId, fence, page: number }, bytes);
    this.pages.push({ number, firstRow: this.rowCount, rowCount: count, ...stored });
    this.rowCount += count;
  }

  /** Rows so few that they travel with the manifest. */
  async sealInline(count: number): Promise<void> {
    this.inline = await encodePage(this.newRows(count));
    this.rowCount = count;
  }

  move(state: RunState): void {
    this.execution.state = state;
    this.execution.version += 1;
    if (state === 'RUNNING') this.execution.startedAt = new Date('2026-01-01T00:00:01Z');
    if (this.isFinal) this.execution.finishedAt = new Date('2026-01-01T00:00:02Z');
  }
}

describe('the gateway', () => {
  let redis: RedisServer;
  let services: Services;
  let teller: BusClient;
  let gateway: Gateway;
  let other: Gateway;
  let directory: string;
  let signingKey: CryptoKey;
  let authorization: string;
  const runs = new Map<string, Run>();
  const revoked: Revocation[] = [];
  const closing: (() => Promise<unknown>)[] = [];

  async function tokenFor(principal: Partial<Principal> = {}): Promise<string> {
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

  function newRun(): Run {
    const run = new Run(new PageStore(directory));
    runs.set(run.execution.id, run);
    return run;
  }

  async function tell(run: Run): Promise<void> {
    const { runId, state, version, fence, rows, bytes, attempts, startedAt, finishedAt } = run.execution;
    const level = { state, version, fence, rows, bytes, attempts, startedAt, finishedAt };
    const message = { runId, workspaceId, ...level, wasLeft: false, changedAt: new Date() };
    await teller.tell(runChanged, runId, message);
  }

  async function tellRows(run: Run): Promise<void> {
    const { runId } = run.execution;
    await teller.tell(rowsCommitted, runId, { runId, workspaceId, fence: 1, rows: run.rowCount, bytes: 0 });
  }

  const runOf = (runId: string): Run | undefined =>
    [...runs.values()].find(({ execution }) => execution.runId === runId);

  beforeAll(async () => {
    redis = await startRedis();
    directory = await mkdtemp(join(tmpdir(), 'sluice-gateway-'));
    await new PageStore(directory).mark('store-1');
    const keys = await generateKeyPair('EdDSA', { extractable: true });
    signingKey = keys.privateKey;
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' };
    services = new Services(redis.url);
    services.on(authRequests.getSigningKeys, () => ({ jwksJson: JSON.stringify({ keys: [jwk] }) }));
    services.on(authRequests.listRevocations, () => ({
      revision: revoked.length,
      revocations: revoked,
      now: new Date(),
    }));
    services.on(authRequests.getViewer, () => ({
      id: 'viewer-1',
      workspace: { id: workspaceId, slug: 'acme', name: 'Acme', createdAt: new Date(0) },
      permissions: ['query.run'],
    }));
    services.on(metadataRequests.getDataSources, () => ({ dataSources: [] }));
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
    services.on(resultsRequests.locatePages, ({ runId, fromRow, rowCount }) => ({
      manifest: runOf(runId)?.manifest,
      pages: (runOf(runId)?.pages ?? []).filter(
        (page) => page.firstRow + page.rowCount > fromRow && page.firstRow < fromRow + rowCount,
      ),
    }));
    services.start();
    const parts = partsOf('teller', redis.url);
    teller = new BusClient('teller-1', parts);
    const config = (name: string): GatewayConfig =>
      loadConfig(gatewayConfig, {
        SLUICE_REDIS_URL: redis.url,
        SLUICE_GATEWAY_INSTANCE: name,
        SLUICE_STORE_DIRECTORY: directory,
        SLUICE_GATEWAY_CURSOR_KEYS: `k1:${cursorKey}`,
        SLUICE_GATEWAY_ALLOWED_ORIGINS: 'https://app.example.com',
        SLUICE_GATEWAY_SUBSCRIPTIONS_PER_SOCKET_MAX: '3',
        SLUICE_GATEWAY_SOCKETS_SIGNED_OUT_PER_ADDRESS_MAX: '20',
        SLUICE_DRAIN_SECONDS: '1',
      });
    const cursorKey = randomBytes(32).toString('base64');
    gateway = await Gateway.start(config('gateway-1'), redis.url);
    other = await Gateway.start(config('gateway-2'), redis.url);
    closing.push(
      () => gateway.stop(),
      () => other.stop(),
      () => services.stop(),
      () => parts.redis.close(),
      () => redis.stop(),
      () => rm(directory, { recursive: true }),
    );
    authorization = `Bearer ${await tokenFor()}`;
  });

  afterAll(async () => {
    for (const close of closing) await close();
  });

  beforeEach(() => {
    services.asked.length = 0;
  });

  const viewer = '{ viewer { id workspace { slug } attributes } }';

  describe('asked over HTTP', () => {
    it('knows its caller by an access token', async () => {
      const { data, errors } = await gateway.ask(viewer, {}, { authorization });
      expect(errors).toBeUndefined();
      expect(data).toEqual({ viewer: { id: 'viewer-1', workspace: { slug: 'acme' }, attributes: {} } });
    });

    it('has no viewer and no error where nobody is signed in', async () => {
      const { status, data, errors } = await gateway.ask(viewer);
      expect([status, data, errors]).toEqual([200, { viewer: null }, undefined]);
    });

    it('refuses a bad or expired token, for the fields that need a caller and by its status', async () => {
      const expired = `Bearer ${await tokenFor({ expiresAt: new Date(Date.now() - 60_000) })}`;
      for (const bad of ['Bearer nonsense', 'Basic dXNlcjpwYXNz', expired]) {
        const { status, data, errors } = await gateway.ask(viewer, {}, { authorization: bad });
        expect([status, data], bad).toEqual([401, { viewer: null }]);
        expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
      }
    });

    it('lets one sign in with a bad token at hand, and tells wrong credentials as data', async () => {
      services.on(authRequests.signIn, () => {
        throw new AppError('auth.credentials_wrong', 'Wrong.');
      });
      const mutation =
        'mutation { signIn(input: { email: "a@b.c", password: "x" }) { accessToken errors { code path } } }';
      const { status, data } = await gateway.ask(mutation, {}, { authorization: 'Bearer nonsense' });
      expect([status, data]).toEqual([
        200,
        { signIn: { accessToken: null, errors: [{ code: 'UNAUTHENTICATED', path: [] }] } },
      ]);
    });

    it('exchanges an API key once for many requests, under either scheme, and forgets it when its token is refused', async () => {
      let exchanges = 0;
      const apiKeyId = newId('apiKey');
      services.on(authRequests.exchangeApiKey, async ({ secret }) => {
        exchanges += 1;
        if (secret !== 'slk_good') throw new AppError('auth.credentials_wrong', 'Unknown key.');
        return { accessToken: await tokenFor({ apiKeyId }), expiresAt: new Date(Date.now() + 60_000) };
      });
      const ask = (header: string) => gateway.ask(viewer, {}, { authorization: header });
      await Promise.all([ask('Bearer slk_good'), ask('Key slk_good'), ask('Key slk_good')]);
      expect((await ask('Key slk_good')).data?.['viewer']).not.toBeNull();
      expect(exchanges).toBe(1);
      expect((await ask('Key slk_bad')).status).toBe(401);
      expect((await ask('Key slk_bad')).status).toBe(401);
      expect(exchanges).toBe(3);
    });

    it('masks what it did not expect, under an id that is the request’s own', async () => {
      services.on(authRequests.listApiKeys, () => {
        throw new Error('password=hunter2');
      });
      const { headers, data, errors } = await gateway.ask(
        '{ viewer { id } apiKeys(first: 1) { totalCount } }',
        {},
        { authorization, 'x-request-id': 'my-request-1' },
      );
      expect(headers.get('x-request-id')).toBe('my-request-1');
      expect(data).toEqual({ viewer: { id: 'viewer-1' }, apiKeys: null });
      expect(errors).toEqual([
        expect.objectContaining({
          path: ['apiKeys'],
          extensions: expect.objectContaining({ code: 'INTERNAL', requestId: 'my-request-1' }),
        }),
      ]);
      expect(JSON.stringify(errors)).not.toContain('hunter2');
    });

    it('makes a request id where the caller’s is not well formed', async () => {
      const { headers } = await gateway.ask(viewer, {}, { 'x-request-id': 'no spaces here' });
      expect(headers.get('x-request-id')).toMatch(/^req_/);
    });

    it('refuses documents that are too large in any way, before they are validated', async () => {
      const deep = `{ ${'a { '.repeat(20)} b ${'} '.repeat(20)} }`;
      const documents = [
        deep,
        `{ ${Array.from({ length: 101 }, (_, n) => `a${n}: __typename`).join(' ')} }`,
        `{ ${'__typename '.repeat(500)} }`,
        `{ __typename ${'@aa'.repeat(10)} }`,
        `{ ${'a '.repeat(4_000)} }`,
      ];
      for (const query of documents) {
        const { status, errors } = await gateway.ask(query);
        expect(status, query.slice(0, 40)).toBe(400);
        expect(errors).toHaveLength(1);
        expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
      }
    });

    it('suggests nothing, takes no batches, no mutation by GET and no form', async () => {
      const { errors } = await gateway.ask('{ viewr { id } }');
      expect(errors?.[0]?.message).not.toContain('Did you mean');
      const json = { 'content-type': 'application/json' };
      const batch = await fetch(gateway.url, { method: 'POST', headers: json, body: '[{"query":"{__typename}"}]' });
      expect(batch.status).toBe(400);
      const got = await fetch(`${gateway.url}?query=mutation{signOut{errors{code}}}`, {
        headers: { 'apollo-require-preflight': '1' },
      });
      expect(got.status).toBe(405);
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const posted = await fetch(gateway.url, { method: 'POST', headers: form, body: 'query={__typename}' });
      expect(posted.status).toBe(400);
    });

    it('answers what is no JSON or too much of it as GraphQL errors', async () => {
      const send = (body: string) =>
        fetch(gateway.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      const malformed = await send('{"query": ');
      expect(malformed.status).toBe(400);
      expect(await malformed.json()).toMatchObject({ errors: [{ extensions: { code: 'INVALID_INPUT' } }] });
      expect((await send(JSON.stringify({ query: 'x'.repeat(2_000_000) }))).status).toBe(413);
    });

    it('serves pages of known origins and tells others nothing', async () => {
      const from = (origin: string) => gateway.ask('{ __typename }', {}, { origin });
      const known = await from('https://app.example.com');
      expect(known.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      expect((await from('https://evil.example')).status).toBe(403);
    });
  });

  describe('asked to run queries', () => {
    const runQuery = `mutation ($input: RunQueryInput!) {
      runQuery(input: $input) {
        execution { id state error { code } result { state rowCount columns { name } rows(first: 10) { offset rows hasNextPage endCursor } } }
        errors { code path }
      }
    }`;
    const input = (waitSeconds = 0) => ({
      input: { query: { sql: { dataSourceId: sourceId, text: 'select 1' } }, waitSeconds },
    });

    it('answers at once without a wait', async () => {
      const run = newRun();
      services.on(runRequests.submitExecution, () => ({ execution: run.execution }));
      const { data } = await gateway.ask(runQuery, input(), { authorization });
      expect(data?.['runQuery']).toMatchObject({ execution: { id: run.execution.id, state: 'QUEUED' }, errors: [] });
    });

    it('answers with the rows as soon as the run has ended, without polling', async () => {
      const run = newRun();
      services.on(runRequests.submitExecution, () => ({ execution: structuredClone(run.execution) }));
      const answer = gateway.ask(runQuery, input(30), { authorization });
      await until(() => services.asked.includes('SubmitExecution'));
      run.move('RUNNING');
      await tell(run);
      await run.sealInline(3);
      run.move('SUCCEEDED');
      await tell(run);
      const { data, errors } = await answer;
      expect(errors).toBeUndefined();
      expect(data?.['runQuery'].execution).toMatchObject({
        state: 'SUCCEEDED',
        result: {
          state: 'COMPLETE',
          rowCount: 3,
          rows: {
            offset: 0,
            rows: [
              [0, 'ž\u2028"'],
              [1, 'ž\u2028"'],
              [2, 'ž\u2028"'],
            ],
            hasNextPage: false,
          },
        },
      });
      expect(services.asked.filter((name) => name === 'GetExecutions').length).toBeLessThanOrEqual(2);
      // The rows travelled with the manifest.
      expect(services.asked).not.toContain('LocatePages');
    });

    it('answers when the wait is over, also where nothing has happened', async () => {
      const run = newRun();
      services.on(runRequests.submitExecution, () => ({ execution: run.execution }));
      const { data } = await gateway.ask(runQuery, input(0.2), { authorization });
      expect(data?.['runQuery'].execution.state).toBe('QUEUED');
    });

    it('tells a refusal as data, with where it lies', async () => {
      services.on(runRequests.submitExecution, () => {
        throw new AppError('sql.not_read_only', 'Only one SELECT.', { path: ['query', 'sql', 'text'] });
      });
      const { data } = await gateway.ask(runQuery, input(), { authorization });
      expect(data?.['runQuery']).toEqual({
        execution: null,
        errors: [{ code: 'SQL_NOT_READ_ONLY', path: ['query', 'sql', 'text'] }],
      });
      const negative = await gateway.ask(runQuery, input(-1), { authorization });
      expect(negative.data?.['runQuery'].errors).toEqual([{ code: 'INVALID_INPUT', path: ['waitSeconds'] }]);
    });

    it('starts several side by side, each by itself', async () => {
      const run = newRun();
      services.on(runRequests.submitExecution, ({ query }) => {
        const text = query.case === 'sql' ? query.value.text : '';
        if (text === 'fault') throw new Error('boom');
        if (text === 'refused') throw new AppError('source.paused', 'Paused.');
        return { execution: run.execution };
      });
      const one = (text: string) => ({ query: { sql: { dataSourceId: sourceId, text } } });
      const mutation =
        'mutation ($inputs: [RunQueryInput!]!) { runQueries(inputs: $inputs) { results { execution { id } errors { code } } } }';
      const inputs = ['good', 'fault', 'refused'].map(one);
      const { data } = await gateway.ask(mutation, { inputs }, { authorization });
      expect(data?.['runQueries'].results).toEqual([
        { execution: { id: run.execution.id }, errors: [] },
        { execution: null, errors: [{ code: 'INTERNAL' }] },
        { execution: null, errors: [{ code: 'DATA_SOURCE_UNAVAILABLE' }] },
      ]);
      const many = await gateway.ask(mutation, { inputs: Array(51).fill(one('good')) }, { authorization });
      expect(many.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
    });

    it('pages through rows by cursor and offset, and refuses both at once, strange cursors and strange columns', async () => {
      const run = newRun();
      await run.commitRows(5);
      run.move('SUCCEEDED');
      const page = async (args: string): Promise<Answer> =>
        gateway.ask(
          `{ execution(id: "${run.execution.id}") { result { rows(${args}) { offset rows endCursor hasNextPage } } } }`,
          {},
          { authorization },
        );
      const first = (await page('first: 2, columns: ["n"]')).data?.['execution'].result.rows;
      expect(first).toMatchObject({ offset: 0, rows: [[0], [1]], hasNextPage: true });
      const next = (await page(`first: 9, after: "${first.endCursor}"`)).data?.['execution'].result.rows;
      expect(next).toMatchObject({ offset: 2, hasNextPage: false });
      expect(next.rows).toHaveLength(3);
      expect((await page('first: 2, offset: 4')).data?.['execution'].result.rows.rows).toHaveLength(1);
      for (const bad of [
        'first: 0',
        'first: 10001',
        'first: 1, after: "x"',
        `first: 1, offset: 1, after: "${first.endCursor}"`,
        'first: 1, columns: ["nope"]',
        'first: 1, columns: ["n", "n"]',
        'first: 1, offset: -1',
      ]) {
        const { data, errors } = await page(bad);
        expect(data?.['execution'].result.rows, bad).toBeNull();
        expect(errors?.[0]?.extensions, bad).toMatchObject({ code: 'INVALID_INPUT' });
      }
    });

    it('finds a node by its id, and says nothing of what is not there', async () => {
      const run = newRun();
      run.move('SUCCEEDED');
      const result = run.execution.id.replace('exe', 'res');
      const query = 'query ($id: ID!) { node(id: $id) { __typename id } }';
      const node = async (id: string) => (await gateway.ask(query, { id }, { authorization })).data?.['node'];
      expect(await node(run.execution.id)).toEqual({ __typename: 'Execution', id: run.execution.id });
      expect(await node(result)).toEqual({ __typename: 'Result', id: result });
      expect(await node(newId('execution'))).toBeNull();
      expect(await node('nonsense')).toBeNull();
    });
  });

  describe('subscribed to', () => {
    const subscription = `subscription ($id: ID!, $after: EventCursor, $includeRows: Boolean! = false) {
      executionEvents(id: $id, after: $after, includeRows: $includeRows) {
        __typename cursor execution { version state }
        ... on ExecutionStateChanged { state version at }
        ... on RowsAppended { page { offset rows } }
      }
    }`;

    /** Collects events until the subscription ends or `enough` says so. */
    function collect(client: Client, variables: Record<string, unknown>) {
      const events: Record<string, any>[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any -- events of any kind
      const results: FormattedExecutionResult<Record<string, unknown>, unknown>[] = [];
      let end: (() => void) | undefined;
      const done = new Promise<unknown>((resolve) => {
        end = client.subscribe<Record<string, unknown>>(
          { query: subscription, variables },
          {
            next: (result) => {
              results.push(result);
              const event = result.data?.['executionEvents'];
              if (event) events.push(event as Record<string, unknown>);
            },
            error: (error) => resolve(error),
            complete: () => resolve(undefined),
          },
        );
      });
      return { events, results, done, end: () => end?.() };
    }

    const namesOf = (events: readonly Record<string, unknown>[]) => events.map(({ __typename }) => __typename);

    it('tells the snapshot, each change, all rows before the final state, and completes', async () => {
      const run = newRun();
      const client = gateway.connect(authorization);
      const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
      await until(() => events.length === 1);
      run.move('RUNNING');
      await tell(run);
      await until(() => events.length === 2);
      await run.commitRows(4);
      await tellRows(run);
      await until(() => events.length === 3);
      await run.commitRows(2);
      run.move('SUCCEEDED');
      await tell(run);
      expect(await done).toBeUndefined();
      expect(namesOf(events)).toEqual([
        'ExecutionSnapshot',
        'ExecutionStateChanged',
        'RowsAppended',
        'RowsAppended',
        'ExecutionStateChanged',
      ]);
      expect(events.map((event) => event['page']?.offset).filter((offset) => offset !== undefined)).toEqual([0, 4]);
      expect(events.flatMap((event) => event['page']?.rows ?? [])).toHaveLength(6);
      expect(events.at(-1)).toMatchObject({ state: 'SUCCEEDED', version: 3, execution: { version: 3 } });
      await client.dispose();
    });

    it('goes on at another gateway from where a client was, and tells the end also to who comes late', async () => {
      const run = newRun();
      run.move('RUNNING');
      await run.commitRows(3);
      const client = gateway.connect(authorization);
      const before = collect(client, { id: run.execution.id, includeRows: true });
      await until(() => namesOf(before.events).includes('RowsAppended'));
      before.end();
      await client.dispose();
      await run.commitRows(2);
      run.move('SUCCEEDED');
      const elsewhere = other.connect(authorization);
      const after = before.events.at(-1)?.['cursor'] as string;
      const resumed = collect(elsewhere, { id: run.execution.id, includeRows: true, after });
      expect(await resumed.done).toBeUndefined();
      expect(namesOf(resumed.events)).toEqual(['ExecutionSnapshot', 'RowsAppended', 'ExecutionStateChanged']);
      expect(resumed.events[1]?.['page'].offset).toBe(3);
      const wrong = collect(elsewhere, { id: run.execution.id, includeRows: false, after });
      await wrong.done;
      expect(wrong.results[0]?.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
      await elsewhere.dispose();
    });

    it('tells the latest state within seconds where the messages about it were lost', async () => {
      const run = newRun();
      const client = gateway.connect(authorization);
      const { events, done } = collect(client, { id: run.execution.id });
      await until(() => events.length === 1);
      run.move('RUNNING');
      run.move('FAILED');
      await done;
      expect(events.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'FAILED', version: 3 });
      await client.dispose();
    });

    it('says that an unknown execution is not there', async () => {
      const client = gateway.connect(authorization);
      const { results, done } = collect(client, { id: newId('execution') });
      await done;
      expect(results[0]?.errors?.[0]).toMatchObject({ path: ['executionEvents'], extensions: { code: 'NOT_FOUND' } });
      await client.dispose();
    });

    it('holds documents to the same limits as over HTTP, and a socket to its number of operations', async () => {
      const client = gateway.connect(authorization);
      const errorOf = (query: string, variables = {}) =>
        new Promise<unknown>((resolve) => {
          client.subscribe(
            { query, variables },
            { next: () => {}, error: resolve, complete: () => resolve(undefined) },
          );
        });
      expect(await errorOf(`{ __typename ${'@aa'.repeat(10)} }`)).toMatchObject([
        { extensions: { code: 'INVALID_INPUT' } },
      ]);
      const run = newRun();
      const open = Array.from({ length: 3 }, () => collect(client, { id: run.execution.id }));
      await until(() => open.every(({ events }) => events.length === 1));
      expect(await errorOf(subscription, { id: run.execution.id })).toMatchObject([
        { extensions: { code: 'RATE_LIMITED', retryable: true } },
      ]);
      open[0]?.end();
      const again = await until(async () => {
        const next = collect(client, { id: run.execution.id });
        await Promise.race([next.done, until(() => next.events.length === 1)]);
        return next.events.length === 1;
      });
      expect(again).toBe(true);
      await client.dispose();
    });

    it('closes a socket without credentials, with bad ones, and when they have ended', async () => {
      const closeCodeOf = async (header: string | undefined): Promise<number> => {
        const socket = new WebSocket(gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
        socket.on('open', () =>
          socket.send(JSON.stringify({ type: 'connection_init', payload: header ? { authorization: header } : {} })),
        );
        return new Promise((resolve) => socket.on('close', resolve));
      };
      expect(await closeCodeOf(undefined)).toBe(4401);
      expect(await closeCodeOf('Bearer nonsense')).toBe(4403);
      // Five seconds are allowed for.
      const ending = await tokenFor({ expiresAt: new Date(Date.now() - 3_000) });
      expect(await closeCodeOf(`Bearer ${ending}`)).toBe(4403);
    });

    it('takes only so many sockets of one address that have not said whose they are', async () => {
      const open = (): Promise<number> => {
        const socket = new WebSocket(gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
        strangers.push(socket);
        // One that was refused is ended before it was open.
        socket.on('error', () => undefined);
        return new Promise((resolve) => {
          socket.on('open', () => resolve(101));
          socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        });
      };
      const strangers: WebSocket[] = [];
      const answers = await Promise.all(Array.from({ length: 25 }, open));
      expect(answers.filter((status) => status === 101)).toHaveLength(20);
      expect(answers.filter((status) => status === 429)).toHaveLength(5);
      for (const socket of strangers) socket.terminate();
      await until(async () => (await open()) === 101);
      for (const socket of strangers) socket.terminate();
    });

    it('tells auth where one signs in from, over a socket too', async () => {
      const addresses: (string | undefined)[] = [];
      services.on(authRequests.signIn, ({ clientAddress }) => {
        addresses.push(clientAddress);
        throw new AppError('auth.credentials_wrong', 'Wrong.');
      });
      const client = gateway.connect(authorization);
      const query = 'mutation { signIn(input: { email: "a@b.c", password: "x" }) { accessToken } }';
      for await (const { errors } of client.iterate({ query })) expect(errors).toBeUndefined();
      expect(addresses.map((address) => address?.replace('::ffff:', ''))).toEqual(['127.0.0.1']);
    });

    it('closes a socket within five seconds when its session is revoked', async () => {
      const sessionId = newId('session');
      const client = gateway.connect(`Bearer ${await tokenFor({ sessionId })}`);
      const { events, done } = collect(client, { id: newRun().execution.id });
      await until(() => events.length === 1);
      const begun = performance.now();
      revoked.push({ subject: 'SESSION', subjectId: sessionId, notBefore: new Date(Date.now() + 1_000) });
      expect(await done).toMatchObject({ code: 4403 });
      expect(performance.now() - begun).toBeLessThan(5_000);
    });

    it('holds back for a client that does not read, whatever others read', async () => {
      const pages = 60;
      const run = newRun();
      run.move('RUNNING');
      const wide = JSON.stringify([0, 'x'.repeat(400_000)]);
      for (let page = 0; page < pages; page++) await run.commitRows(1, wide);
      run.move('SUCCEEDED');
      const variables = { id: run.execution.id, includeRows: true };
      const client = gateway.connect(authorization);
      const readAll = async (): Promise<void> => {
        const { events, done } = collect(client, variables);
        await done;
        expect(events.filter(({ __typename }) => __typename === 'RowsAppended')).toHaveLength(pages);
      };
      const atFirst = await gateway.pagesRead();
      await readAll();
      const forOne = (await gateway.pagesRead()) - atFirst;

      const stuck = new WebSocket(gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
      const send = (message: object): void => stuck.send(JSON.stringify(message));
      const acknowledged = new Promise((resolve) => stuck.once('message', resolve));
      stuck.on('open', () => send({ type: 'connection_init', payload: { authorization } }));
      await acknowledged;
      stuck.pause();
      send({ id: '1', type: 'subscribe', payload: { query: subscription, variables } });
      await readAll();
      // What the stuck client was sent fits into the buffers of two sockets; the rest is still in the store.
      expect((await gateway.pagesRead()) - atFirst).toBeLessThan(3 * forOne);
      stuck.resume();
      await until(async () => (await gateway.pagesRead()) - atFirst === 3 * forOne, { what: 'the rest' });
      stuck.terminate();
      await client.dispose();
    });

    it('refuses upgrades from pages of other origins and at other paths', async () => {
      const refusalOf = (url: string, origin?: string) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(url, 'graphql-transport-ws', origin === undefined ? {} : { origin });
          socket.on('error', ({ message }) => resolve(message));
          socket.on('open', () => {
            socket.close();
            resolve('open');
          });
        });
      const url = gateway.url.replace('http', 'ws');
      expect(await refusalOf(url, 'https://evil.example')).toContain('403');
      expect(await refusalOf(url, 'https://app.example.com')).toBe('open');
      expect(await refusalOf(url.replace('/graphql', '/other'))).toContain('404');
    });

    it('tells each of the caller’s executions that ends', async () => {
      const run = newRun();
      const ended: Execution[] = [];
      services.on(runRequests.listFinished, ({ after }) => ({
        finished: after
          ? ended.slice(after.sequence).map((execution, index) => ({
              position: { xid: '1', sequence: after.sequence + index + 1 },
              execution,
            }))
          : [],
        position: { xid: '1', sequence: ended.length },
        skipped: false,
      }));
      const client = gateway.connect(authorization);
      const seen: unknown[] = [];
      client.subscribe<Record<string, unknown>>(
        { query: 'subscription { executionsFinished { cursor execution { id state } } }' },
        { next: ({ data }) => seen.push(data?.['executionsFinished']), error: () => {}, complete: () => {} },
      );
      await until(() => services.asked.includes('ListFinished'));
      run.move('SUCCEEDED');
      ended.push(run.execution);
      await tell(run);
      await until(() => seen.length === 1);
      expect(seen[0]).toMatchObject({ execution: { id: run.execution.id, state: 'SUCCEEDED' } });
      await client.dispose();
    });

    it('closes its sockets with 1012 when it stops, and takes no more', async () => {
      const socket = new WebSocket(other.url.replace('http', 'ws'), 'graphql-transport-ws');
      const closed = new Promise<number>((resolve) => socket.on('close', resolve));
      await new Promise((resolve) => socket.on('open', resolve));
      await other.drain();
      expect(await closed).toBe(1012);
    });
  });
});
