import type { Agent, IncomingMessage } from 'node:http';
import type { NetworkGuard } from './network-guard.js';

export interface GuardedFetchOptions {
  readonly guard: NetworkGuard;
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

export interface GuardedRequest {
  readonly method?: string | undefined;
  readonly headers?: ConstructorParameters<typeof Headers>[0] | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
}

export type GuardedFetch = (address: string | URL, request?: GuardedRequest) => Promise<Response>;

/** A little less than most servers keep an idle connection, so that hardly ever a request meets one that is closed. */
const idleMs = 4_000;

/**
 * A fetch that reaches only where its guard lets it, follows no redirect, and reads no more than it is allowed to. A
 * connection is kept for a few seconds for the next request to the same host: its address was checked when it was made, by
 * this guard, and stays the same.
 */
export function guardedFetch({ guard, timeoutMs, bytesMax }: GuardedFetchOptions): GuardedFetch {
  const agents = new Map<string, Agent>();
  return async (address, { method = 'GET', headers, body, signal } = {}) => {
    const url = new URL(address);
    const text = bodyOf(body);
    // Loaded with the first request: most installations have none.
    const { Agent, request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    const agent = agents.get(url.protocol) ?? new Agent({ keepAlive: true, timeout: idleMs });
    agents.set(url.protocol, agent);
    const timeout = new AbortController();
    const options = {
      ...(await guard.optionsFor(url)),
      agent,
      method,
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        // What was packed would have to be unpacked before it is measured.
        'accept-encoding': 'identity',
        ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
      },
      maxHeaderSize: 16 * 1_024,
      signal: signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
    };
    const send = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const sent = request(url, options);
        let isAnswered = false;
        sent.on('error', (error: NodeJS.ErrnoException) => {
          // The server closed the idle connection while this was on its way.
          if (sent.reusedSocket && !isAnswered && error.code === 'ECONNRESET') resolve(send());
          else reject(error);
        });
        sent.on('response', (answer) => {
          isAnswered = true;
          resolve(answer);
        });
        sent.end(text);
      });
    // Ends with its request: AbortSignal.timeout would go on, and cost an exception with its stack for each request that is long over.
    const timer = setTimeout(() => timeout.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
    try {
      const answer = await send();
      return responseOf(answer, await read(answer, bytesMax));
    } finally {
      clearTimeout(timer);
    }
  };
}

function bodyOf(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('only texts and forms are sent');
}

async function read(answer: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding a message gives buffers.
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`the answer has more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const statusesWithoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf({ statusCode = 0, headers }: IncomingMessage, body: Buffer): Response {
  const shown = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const item of typeof value === 'string' ? [value] : (value ?? [])) shown.append(name, item);
  }
  const content = statusesWithoutBody.has(statusCode) ? null : new Uint8Array(body);
  return new Response(content, { status: statusCode, headers: shown });
}
