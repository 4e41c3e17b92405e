import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { ApiClient } from './api-client.js';

export interface SocketOptions {
  /** A socket that is silent for this long is given up; a stopped gateway closes nothing. */
  silenceMs?: number;
}

/** A client of graphql-transport-ws that never tries again by itself, so that the test sees each end. */
export function openSocket(client: ApiClient, { silenceMs = 3_000 }: SocketOptions = {}): Client {
  let pongTimer: NodeJS.Timeout | undefined;
  let socket: WebSocket | undefined;
  return createClient({
    url: client.address.websocketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    lazyCloseTimeout: 0,
    keepAlive: silenceMs,
    ...(client.authorization === undefined ? {} : { connectionParams: { authorization: client.authorization } }),
    on: {
      // The implementation that was given is ws's.
      opened: (opened) => (socket = opened as WebSocket),
      ping: (isReceived) => {
        if (isReceived) return;
        pongTimer = setTimeout(() => socket?.terminate(), silenceMs);
      },
      pong: () => clearTimeout(pongTimer),
      closed: () => clearTimeout(pongTimer),
    },
  });
}

/** The data of each event; errors of the operation end it as one Error. Ends the socket with the iteration. */
export async function* subscribe<T>(
  client: ApiClient,
  query: string,
  variables: Record<string, unknown> = {},
  options?: SocketOptions,
): AsyncGenerator<T> {
  const socket = openSocket(client, options);
  try {
    for await (const { data, errors } of socket.iterate<T>({ query, variables })) {
      if (errors?.length) throw new SubscriptionError(JSON.stringify(errors));
      if (data) yield data;
    }
  } catch (error) {
    throw asError(error);
  } finally {
    socket.terminate();
  }
}

/** The server answered the operation with errors; the message is those errors as JSON. */
export class SubscriptionError extends Error {}

/** The socket was closed by the other side. */
export class SocketClosed extends Error {
  constructor(
    readonly code: number,
    reason: string,
  ) {
    super(`closed with ${code} ${reason}`);
  }
}

// graphql-ws rejects with the close event, with a list of errors, or with an Error.
function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  if (Array.isArray(error)) return new SubscriptionError(JSON.stringify(error));
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number') {
    return new SocketClosed(error.code, 'reason' in error ? String(error.reason) : '');
  }
  return new Error(JSON.stringify(error));
}
