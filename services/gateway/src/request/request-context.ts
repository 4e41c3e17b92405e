import type { BusClient } from '#libs/bus';
import type { Actor, Execution, RequestContract } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { signInFirst, type Caller } from '../identity/caller.js';
import { createLoaders, type Loaders } from './loaders.js';
import { currentClient } from './request-scope.js';

/** Credentials are checked once for each request; a refusal counts only for the fields that need a caller. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'good'; readonly caller: Caller };

/** Where the credentials of a request are; those of a WebSocket may be renewed while a subscription lasts. */
export interface CredentialsHolder {
  readonly credentials: Credentials;
}

/** How far a subscription has been told. */
export interface ToldPlace {
  readonly cursor: string;
  /** Of the state that was told last. A cursor names the version of what was read, which may be newer. */
  readonly version?: number | undefined;
}

/** What the source of a subscription's events may know of the stream that it feeds, and tells it. */
export interface StreamPace {
  /** The stream has told all up to here, the snapshot too, and goes on from there. */
  readonly continuesAfter?: ToldPlace | undefined;
  /** Nothing has been told yet, and all behind this cursor is to be. */
  begunAt(cursor: string): void;
  /** Whoever proves something else by now leaves: what was passed over by the old proof may be for the new one. */
  part(): void;
  /** Resolves when something large may be made for it; call what it gives when that has been sent. */
  turn(): Promise<() => void>;
}

/** Who waits for the answer. */
export interface Listener {
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
}

interface Hit {
  /** What the question is known by among the repeated hits. */
  readonly key: string;
  readonly execution: Execution;
}

/** What a request has to do with repeated hits. */
export interface HitOfRequest {
  /** The execution of this question is recorded already, and to be taken instead of another. */
  recorded?: Hit | undefined;
  /** The question of the request was answered by it. */
  answered?: Hit;
}

export interface AskOptions {
  readonly ttlMs?: number;
  readonly idempotencyKey?: string;
}

/**
 * What resolvers know of the request at hand. Apollo copies it by its prototype for each operation, so what is made on
 * first use belongs to one operation.
 */
export class RequestContext {
  /** One for the request and the copies that Apollo makes of this. */
  readonly hit: HitOfRequest = {};
  private madeLoaders: Loaders | undefined;

  constructor(
    private readonly bus: BusClient,
    readonly requestId: string,
    private readonly holder: CredentialsHolder,
    private readonly listener: Listener,
    /** Of a subscription. */
    readonly pace?: StreamPace,
  ) {}

  /** Fires when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.listener.signal;
  }

  get loaders(): Loaders {
    return (this.madeLoaders ??= createLoaders(this));
  }

  /** The same request with nothing read yet, for the next event of a subscription. */
  afresh(): RequestContext {
    return new RequestContext(this.bus, this.requestId, this.holder, this.listener);
  }

  /** The same request with the proof that it has now, whatever its holder comes to have. */
  pinned(): RequestContext {
    const { credentials } = this.holder;
    return new RequestContext(this.bus, this.requestId, { credentials }, this.listener);
  }

  get isSignedIn(): boolean {
    return this.holder.credentials.kind === 'good';
  }

  /** The caller, or undefined where no credentials came. @throws AppError where they were refused */
  get callerIfAny(): Caller | undefined {
    const { credentials } = this.holder;
    if (credentials.kind === 'refused') throw credentials.error;
    return credentials.kind === 'good' ? credentials.caller : undefined;
  }

  /** Subscribers of equal rights share events, so a field that is made of the token itself is to be known to their streams. */
  get caller(): Caller {
    const caller = this.callerIfAny;
    if (!caller) throw new AppError('auth.unauthenticated', signInFirst);
    return caller;
  }

  /** Asks a service on behalf of the caller. */
  // Async, so that a missing caller is a rejection like any other failure.
  async ask<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    options: AskOptions = {},
  ): Promise<Response> {
    const { principal, accessToken } = this.caller;
    return this.send(contract, input, principal.workspaceId, { case: 'accessToken', value: accessToken }, options);
  }

  /** Asks a service on behalf of whoever it is, for what comes before signing in. */
  askAnonymously<Request, Response>(contract: RequestContract<Request, Response>, input: Request): Promise<Response> {
    return this.send(contract, input, '', { case: undefined }, {});
  }

  private send<Request, Response>(
    contract: RequestContract<Request, Response>,
    input: Request,
    workspaceId: string,
    actor: Actor,
    options: AskOptions,
  ): Promise<Response> {
    return this.bus.request(contract, input, {
      context: { workspaceId, actor, requestId: this.requestId, origin: currentClient() },
      ...options,
    });
  }
}
