import type { Caller } from '../identity/caller.js';
import { rightsOf } from '../identity/rights-of.js';
import type { Credentials, CredentialsHolder } from '../request/request-context.js';
import type { ConnectionRoom } from '../streams/connection-room.js';

/** Why the gateway closes a connection. graphql-ws clients come back after 1012, 1013 and 4403, and give up after 4401. */
export const closeCodes = {
  serviceRestart: 1012,
  tryAgainLater: 1013,
  unauthorized: 4401,
  forbidden: 4403,
} as const;

/** A WebSocket or an event stream of HTTP, as far as a session acts on it. */
export interface SessionConnection {
  /** After what has been sent; where the other end takes nothing, some seconds later at the latest. */
  close(code: number, reason: string): void;
}

/** One connection that stays open, and who is at its other end. */
export class Session implements CredentialsHolder {
  private current: { readonly authorization: string; readonly caller: Caller; readonly rights: string } | undefined;
  private ended: AbortController | undefined;
  /** Operations under way. */
  operations = 0;
  isOver = false;
  /** It has been told to go; what was sent before may still be on its way. */
  isClosing = false;

  constructor(
    private readonly connection: SessionConnection,
    readonly room: ConnectionRoom,
    /** Of the request that opened the connection; its operations have ids of their own. */
    readonly requestId: string,
    /** Where the connection was opened from. */
    readonly clientAddress: string,
    /** What opened it, as it says. */
    readonly userAgent?: string,
    /** What the browser that opened it proves by, where its client says nothing. */
    readonly browserAuthorization?: string | undefined,
  ) {}

  get credentials(): Credentials {
    return this.current ? { kind: 'good', caller: this.current.caller } : { kind: 'none' };
  }

  get caller(): Caller | undefined {
    return this.current?.caller;
  }

  /** What the client showed; sessions with the same are checked together. */
  get authorization(): string | undefined {
    return this.current?.authorization;
  }

  /** Sessions with the same may be told the same. It changes where the proof is renewed and proves something else. */
  get rights(): string | undefined {
    return this.current?.rights;
  }

  /** Fires when the connection is gone. */
  get signal(): AbortSignal {
    // Most sessions only subscribe and need none, and there are many of them.
    this.ended ??= new AbortController();
    if (this.isOver) this.ended.abort();
    return this.ended.signal;
  }

  signIn(authorization: string, caller: Caller): void {
    this.current = { authorization, caller, rights: rightsOf(caller.principal) };
  }

  close(code: number, reason: string): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.connection.close(code, reason);
  }

  end(): void {
    this.isOver = true;
    this.ended?.abort();
  }
}
