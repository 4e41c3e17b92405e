import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { Ctx, Payload, Server, type CustomTransportStrategy, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, isObservable } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { AppErrorFilter, BusClient, BusContext, HandlesEvent, HandlesRequest } from '#libs/bus';
import { authRequests, runFinished, type Envelope } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import {
  Allow,
  AllowAnonymous,
  AllowAuthenticated,
  AllowService,
  IdentityModule,
  permissionsOfRoles,
  principalOf,
  TokenVerifier,
  type Principal,
} from './index.js';

@Controller()
class GoodController {
  @HandlesRequest(authRequests.listUsers)
  @Allow('user.read', 'user.manage')
  withPermission(@Payload() _input: object, @Ctx() context: BusContext): { userId: string } {
    return { userId: principalOf(context).userId };
  }

  @HandlesRequest(authRequests.getViewer)
  @AllowAuthenticated()
  authenticated(@Payload() _input: object, @Ctx() context: BusContext): { userId: string } {
    return { userId: principalOf(context).userId };
  }

  @HandlesRequest(authRequests.getDataKey)
  @AllowService('metadata', 'worker')
  service(): string {
    return 'served';
  }

  @HandlesRequest(authRequests.signIn)
  @AllowAnonymous()
  anonymous(@Payload() _input: object, @Ctx() context: BusContext): string {
    try {
      return principalOf(context).userId;
    } catch {
      return 'nobody';
    }
  }
}

@Controller()
class EventController {
  @HandlesEvent(runFinished)
  onRunFinished(): string {
    return 'done';
  }
}

@Controller()
class OpenController {
  @HandlesRequest(authRequests.getUsers)
  forgotten(): string {
    return 'open';
  }
}

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

function principal(role: string): Principal {
  return {
    userId: `usr_${role}`,
    workspaceId: 'wsp_1',
    permissions: permissionsOfRoles([role]),
    groups: [],
    issuedAt: new Date(),
    expiresAt: new Date(Date.now() + 60_000),
  };
}

/** A token here is the name of a role. */
const verifier = {
  async verify(token: string): Promise<Principal> {
    if (token === 'forged') throw new AppError('auth.unauthenticated', 'The access token is not good.');
    return principal(token);
  },
};

const opened: INestMicroservice[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

async function start(...controllers: (new () => object)[]): Promise<MemoryServer> {
  class SharedModule {}
  const providers = [
    { provide: AppLogger, useValue: AppLogger.create({ service: 'auth', instance: 'a', level: 'silent' }) },
    { provide: MetricsRegistry, useValue: new MetricsRegistry('auth') },
    { provide: HealthRegistry, useValue: new HealthRegistry() },
    { provide: BusClient, useValue: { request: async () => ({ revision: 0, revocations: [] }) } },
  ];
  Module({ providers, exports: providers.map(({ provide }) => provide) })(SharedModule);
  const module = await Test.createTestingModule({
    imports: [{ module: SharedModule, global: true }, IdentityModule],
    controllers,
  })
    .overrideProvider(TokenVerifier)
    .useValue(verifier)
    .compile();
  const server = new MemoryServer();
  const app = module.createNestMicroservice<MicroserviceOptions>({ strategy: server });
  app.useGlobalFilters(new AppErrorFilter());
  opened.push(app);
  await app.listen();
  return server;
}

type Contract = { readonly pattern: string };
type Actor = BusContext['actor'];

async function ask(server: MemoryServer, contract: Contract, actor: Actor, workspaceId = 'wsp_1'): Promise<unknown> {
  const envelope: Envelope = {
    ...{ id: 'msg_1', kind: 'REQUEST', type: contract.pattern, version: 1, workspaceId, requestId: 'req_1' },
    ...{ traceparent: '', tracestate: '', ttlMs: 1_000, idempotencyKey: '', replyTo: '', inReplyTo: '' },
    kind: 'REQUEST',
    actor: { kind: actor },
    payload: new Uint8Array(),
  };
  try {
    const given: unknown = await server.getHandlers().get(contract.pattern)?.({}, new BusContext(envelope));
    return isObservable(given) ? await firstValueFrom(given) : given;
  } catch (error) {
    return error instanceof AppError ? error.code : error;
  }
}

const nobody: Actor = { case: undefined };
const token = (value: string): Actor => ({ case: 'accessToken', value });
const service = (value: string): Actor => ({ case: 'service', value });

describe('a handler', () => {
  it('with permissions lets in whoever has any of them, and tells it who they are', async () => {
    const server = await start(GoodController);
    const contract = authRequests.listUsers;
    expect(await ask(server, contract, token('admin'))).toEqual({ userId: 'usr_admin' });
    expect(await ask(server, contract, token('editor'))).toBe('auth.forbidden');
    for (const actor of [nobody, service('metadata'), service('auth'), token('forged')]) {
      expect(await ask(server, contract, actor)).toBe('auth.unauthenticated');
    }
  });

  it('for the authenticated lets in every good token, and none in the envelope of another workspace', async () => {
    const server = await start(GoodController);
    const contract = authRequests.getViewer;
    expect(await ask(server, contract, token('viewer'))).toEqual({ userId: 'usr_viewer' });
    expect(await ask(server, contract, token('viewer'), 'wsp_2')).toBe('auth.unauthenticated');
    expect(await ask(server, contract, service('metadata'))).toBe('auth.unauthenticated');
  });

  it('for services lets in these and no others, and no caller whatever he may do', async () => {
    const server = await start(GoodController);
    const contract = authRequests.getDataKey;
    expect(await ask(server, contract, service('worker'), '')).toBe('served');
    for (const actor of [service('gateway'), service(''), token('admin'), nobody]) {
      expect(await ask(server, contract, actor)).toBe('auth.forbidden');
    }
  });

  it('for everybody has no principal, whoever asks', async () => {
    const server = await start(GoodController);
    for (const actor of [nobody, token('admin'), service('gateway')]) {
      expect(await ask(server, authRequests.signIn, actor)).toBe('nobody');
    }
  });
});

describe('a service', () => {
  it('with a handler that does not say who may ask refuses to start, and names it', async () => {
    await expect(start(GoodController, OpenController)).rejects.toThrow('OpenController.forgotten');
  });

  it('needs no rule for handlers of events', async () => {
    await expect(start(EventController)).resolves.toBeDefined();
  });

  it('with two rules on one handler is refused when it is loaded', () => {
    expect(() => {
      class TwoRules {
        @Allow('user.read')
        @AllowAnonymous()
        handler(): string {
          return 'which rule?';
        }
      }
      return TwoRules;
    }).toThrow(/two access rules/);
  });
});
