import type { WebSocket } from 'ws';
import type { Caller } from '../identity/caller.js';
import type { Credentials, CredentialsHolder } from '../request/request-context.js';

/** Why the gateway closes a socket. graphql-ws clients come back after 1012, 1013 and 4403, and give up after 4401. */
export const closeCodes = {
  serviceRestart: 1012,
  tryAgainLater: 1013,
  unauthorized: 4401,
  forbidden: 4403,
} as const;

/** One WebSocket and who is at its other end. */
export class SocketSession implements CredentialsHolder {
  private current: { readonly authorization: string; readonly caller: Caller } | undefined;
  private readonly ended = new AbortController();
  /** Operations under way. */
  operations = 0;

  constructor(
    private readonly socket: WebSocket,
    /** Of the request that opened the socket; its operations have ids of their own. */
    readonly requestId: string,
    /** Where the socket was opened from. */
    readonly clientAddress: string,
  ) {}

  get credentials(): Credentials {
    return this.current ? { kind: 'good', caller: this.current.caller } : { kind: 'none' };
  }

  get caller(): Caller | undefined {
    return this.current?.caller;
  }

  /** What the client sent in connection_init; sockets with the same are checked together. */
  get authorization(): string | undefined {
    return this.current?.authorization;
  }

  /** Fires when the socket is gone. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  signIn(authorization: string, caller: Caller): void {
    this.current = { authorization, caller };
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  end(): void {
    this.ended.abort();
  }
}
