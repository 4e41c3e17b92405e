import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Module, type INestMicroservice } from '@nestjs/common';
import { Server, type CustomTransportStrategy, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, isObservable } from 'rxjs';
import { DataSource } from 'typeorm';
import { AppErrorFilter, BusClient, BusContext, serviceContext, type MessageContext } from '#libs/bus';
import { CONFIG, loadConfig, type Environment } from '#libs/config';
import { authRequests, requestsByService, type Envelope, type RequestContract, type ResponseOf } from '#libs/contracts';
import { AppError, asWorkOf, newId, SystemClock } from '#libs/kernel';
import { TokenVerifier, type Principal } from '#libs/identity';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import { testPooling } from '#libs/testing';
import { authConfig } from '../src/auth.config.js';
import { AuthModule } from '../src/auth.module.js';

/** Nest's handlers as a request of the bus finds them, guards and all, without the bus. */
class MemoryServer extends Server implements CustomTransportStrategy {
  listen(callback: () => void): void {
    callback();
  }

  close(): void {
    // Nothing was opened.
  }

  on(): never {
    throw new Error('there are no events');
  }

  unwrap<T>(): T {
    throw new Error('there is no server underneath');
  }
}

export type SignedIn = ResponseOf<typeof authRequests.signIn>;

export const administrator = { email: 'admin@example.com', password: 'correct horse battery' } as const;
export const workspaceSlug = 'first';

const anonymous: MessageContext = { workspaceId: '', actor: { case: undefined }, requestId: 'req_test' };

/** The whole service over a database of the test's own. */
export class AuthHarness {
  private constructor(
    private readonly app: INestMicroservice,
    private readonly server: MemoryServer,
  ) {}

  static async start(databaseUrl: string, settings: Environment = {}): Promise<AuthHarness> {
    const server = new MemoryServer();
    const started: { harness?: AuthHarness } = {};
    // Identity asks for keys and revocations, as it does in every service.
    const bus = {
      request: (contract: RequestContract<unknown, unknown>, input: unknown, options: { context: MessageContext }) =>
        started.harness?.ask(contract, input, options.context) ?? Promise.reject(new Error('not started')),
    };
    const logger = AppLogger.create({ service: 'auth', instance: 'a1', level: 'silent' });
    class SharedModule {}
    Module({})(SharedModule);
    const providers = [
      { provide: CONFIG, useValue: loadConfig(authConfig, { ...defaultSettings(databaseUrl), ...settings }) },
      { provide: AppLogger, useValue: logger },
      { provide: MetricsRegistry, useValue: new MetricsRegistry('auth') },
      { provide: HealthRegistry, useValue: new HealthRegistry() },
      { provide: Lifecycle, useValue: new Lifecycle(logger) },
      { provide: CLOCK, useValue: new SystemClock() },
      { provide: BusClient, useValue: bus },
    ];
    const shared = { module: SharedModule, global: true, providers, exports: providers.map(({ provide }) => provide) };
    const module = await Test.createTestingModule({ imports: [shared, AuthModule] }).compile();
    const app = module.createNestMicroservice<MicroserviceOptions>({ strategy: server });
    app.useGlobalFilters(new AppErrorFilter());
    const harness = new AuthHarness(app, server);
    started.harness = harness;
    await app.listen();
    return harness;
  }

  get patterns(): readonly string[] {
    return [...this.server.getHandlers().keys()];
  }

  get database(): DataSource {
    return this.app.get(DataSource, { strict: false });
  }

  get<T>(type: new (...parts: never[]) => T): T {
    return this.app.get(type, { strict: false });
  }

  /** What a request was refused with. */
  async refusal(work: Promise<unknown>): Promise<AppError> {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof AppError)) throw new Error(`it was not refused as expected: ${String(error)}`);
    return error;
  }

  /** Sends a request as the bus would deliver it, through its codec. */
  async ask<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    context: MessageContext = anonymous,
  ): Promise<Response> {
    const handler = this.server.getHandlers().get(contract.pattern);
    if (!handler) throw new Error(`nothing handles ${contract.pattern}`);
    const request = contract.request.decode(contract.request.encode(input));
    const { workspaceId, actor, requestId, origin } = context;
    const envelope: Envelope = {
      ...(origin ? { origin } : {}),
      ...{ id: newId('message'), type: contract.pattern, version: 1, workspaceId, requestId },
      ...{ traceparent: '', tracestate: '', ttlMs: 10_000, idempotencyKey: '', replyTo: '', inReplyTo: '' },
      kind: 'REQUEST',
      actor: { kind: actor },
      payload: new Uint8Array(),
    };
    const delivered = new BusContext(envelope);
    const response: unknown = await asWorkOf(delivered.work, async () => {
      const given: unknown = await handler(request, delivered);
      return isObservable(given) ? firstValueFrom(given) : given;
    });
    // What the codec takes is a response.
    return contract.response.decode(contract.response.encode(response as Response));
  }

  askAsService<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    service: Parameters<typeof serviceContext>[0] = 'metadata',
  ): Promise<Response> {
    return this.ask(contract, input, serviceContext(service, ''));
  }

  signIn(input: { email: string; password: string; workspace?: string; clientAddress?: string }): Promise<SignedIn> {
    return this.ask(authRequests.signIn, input);
  }

  refresh(refreshToken: string): Promise<SignedIn> {
    return this.ask(authRequests.refreshSession, { refreshToken });
  }

  /** The context of a caller with this access token. */
  async as(accessToken: string): Promise<MessageContext> {
    const { workspaceId } = await this.get(TokenVerifier).verify(accessToken);
    return { workspaceId, actor: { case: 'accessToken', value: accessToken }, requestId: newId('request') };
  }

  principalOf(accessToken: string): Promise<Principal> {
    return this.get(TokenVerifier).verify(accessToken);
  }

  async admin(): Promise<MessageContext> {
    return this.as((await this.signIn(administrator)).accessToken);
  }

  async createUser(
    context: MessageContext,
    user: Partial<Parameters<typeof authRequests.createUser.request.encode>[0]>,
  ): Promise<{ id: string; email: string; password: string; version: number }> {
    const email = user.email ?? `user-${randomBytes(6).toString('hex')}@example.com`;
    const password = user.password ?? `pw-${randomBytes(12).toString('hex')}`;
    const input = { name: 'A user', roleNames: ['analyst'], groupNames: [], ...user, email, password };
    const answer = await this.ask(authRequests.createUser, input, context);
    if (!answer.user) throw new Error('no user came back');
    return { id: answer.user.id, email, password, version: answer.user.version };
  }

  async stop(): Promise<void> {
    await this.app.close();
  }
}

/** Every request of the service, to see that each says who may send it. */
export const allRequests = requestsByService.auth;

const signingKey = newSigningKey('test-1');
const masterKeys = `k1:${randomBytes(32).toString('base64')}`;

export function newSigningKey(kid: string): string {
  return JSON.stringify({ ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid });
}

function defaultSettings(databaseUrl: string): Environment {
  return {
    SLUICE_REDIS_URL: 'redis://127.0.0.1:1',
    SLUICE_AUTH_DATABASE_URL: databaseUrl,
    SLUICE_AUTH_DATABASE_POOLING: testPooling,
    SLUICE_MASTER_KEYS: masterKeys,
    SLUICE_AUTH_SIGNING_KEYS: signingKey,
    SLUICE_AUTH_BOOTSTRAP_WORKSPACE: workspaceSlug,
    SLUICE_AUTH_BOOTSTRAP_EMAIL: administrator.email,
    SLUICE_AUTH_BOOTSTRAP_PASSWORD: administrator.password,
  };
}
