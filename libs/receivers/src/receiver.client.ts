import type { IncomingMessage } from 'node:http';
import { NetworkGuard, type NamedAddress, type ResolveName } from '#libs/outbound';
import { failureOf } from './receiver-failures.js';

/** What came of one attempt. `failure` is absent where the receiver has taken it. */
export interface ReceiverAnswer {
  readonly status?: number;
  readonly failure?: string;
  /** The receiver's own wish. */
  readonly retryAfterSeconds?: number;
}

export interface ReceiverSettings {
  /** In CIDR notation. These are reached although they are not public, and without encryption too. */
  readonly allowedNetworks: readonly string[];
  readonly timeoutMs: number;
}

/** As much of an answer is read and forgotten, so that a well-meaning receiver sees no reset. */
const answerBytesMax = 16 * 1_024;
const answerHeaderBytesMax = 16 * 1_024;

/**
 * Sends to receivers that users name. Whoever names one chooses where we connect to, so a guard sees to it that it is no network
 * of ours. Redirects are not followed. Of an answer nothing is kept but the status: an answer that somebody could read would
 * make us his eyes in our network.
 */
export class ReceiverClient {
  private readonly guard: NetworkGuard;

  constructor(
    private readonly settings: ReceiverSettings,
    resolve?: ResolveName,
  ) {
    this.guard = new NetworkGuard(settings.allowedNetworks, resolve);
  }

  /** Without encryption only to networks that the operator has named. */
  get allowsPlainHttp(): boolean {
    return this.settings.allowedNetworks.length > 0;
  }

  /** Whether the URL itself rules out that anything can be sent there; a name is looked up when it is connected to. */
  isRefused(url: URL): Promise<boolean> {
    return this.guard.isRefused(url);
  }

  async post(address: string, headers: Record<string, string>, body: string): Promise<ReceiverAnswer> {
    const url = new URL(address);
    try {
      return answerOf(await this.send(url, headers, body));
    } catch (error) {
      return { failure: failureOf(error) };
    }
  }

  private async send(url: URL, headers: Record<string, string>, body: string): Promise<IncomingMessage> {
    // Loaded with the first delivery: most installations have none.
    const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    const options = {
      ...(await this.guard.optionsFor(url)),
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers, 'content-length': Buffer.byteLength(body) },
      maxHeaderSize: answerHeaderBytesMax,
      signal: AbortSignal.timeout(this.settings.timeoutMs),
    };
    return new Promise((resolve, reject) => {
      const sent = request(url, options);
      sent.on('error', reject);
      sent.on('response', (answer) => {
        forget(answer);
        resolve(answer);
      });
      sent.end(body);
    });
  }

  /** What a name stands for, where all of it may be connected to. @throws RefusedAddress */
  checkedAddresses(hostname: string, protocol: string): Promise<NamedAddress[]> {
    return this.guard.checkedAddresses(hostname, protocol);
  }
}

function answerOf({ statusCode = 0, headers }: IncomingMessage): ReceiverAnswer {
  const status = statusCode;
  if (status >= 200 && status < 300) return { status };
  const failure = status >= 300 && status < 400 ? 'It redirects, which is not followed.' : `It answered ${status}.`;
  const seconds = headers['retry-after'];
  const isWish = (status === 429 || status === 503) && seconds !== undefined && /^\d{1,6}$/.test(seconds);
  return { status, failure, ...(isWish ? { retryAfterSeconds: Number(seconds) } : {}) };
}

function forget(answer: IncomingMessage): void {
  let bytes = 0;
  answer.on('error', () => undefined);
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > answerBytesMax) answer.destroy();
  });
}
