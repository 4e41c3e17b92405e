import type { IncomingMessage } from 'node:http';
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

/** A fetch that reaches only where its guard lets it, follows no redirect, and reads no more than it is allowed to. */
export function guardedFetch({ guard, timeoutMs, bytesMax }: GuardedFetchOptions): GuardedFetch {
  return async (address, { method = 'GET', headers, body, signal } = {}) => {
    const url = new URL(address);
    const text = bodyOf(body);
    const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    const timeout = AbortSignal.timeout(timeoutMs);
    const options = {
      ...(await guard.optionsFor(url)),
      method,
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        // What was packed would have to be unpacked before it is measured.
        'accept-encoding': 'identity',
        ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
      },
      maxHeaderSize: 16 * 1_024,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, options).on('error', reject).on('response', resolve).end(text);
    });
    return responseOf(answer, await read(answer, bytesMax));
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
