import type { IncomingMessage } from 'node:http';
import { Injectable, Optional } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { NetworkGuard, type ResolveName } from '#libs/outbound';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { failureOf } from './receiver-failures.js';

/** What came of one attempt. `failure` is absent where the receiver has taken it. */
export interface ReceiverAnswer {
  readonly status?: number;
  readonly failure?: string;
  /** The receiver's own wish. */
  readonly retryAfterSeconds?: number;
}

/** As much of an answer is read and forgotten, so that a well-meaning receiver sees no reset. */
const answerBytesMax = 16 * 1_024;
const answerHeaderBytesMax = 16 * 1_024;

/**
 * Sends a webhook. Whoever makes one chooses where we connect to, so a guard sees to it that it is no network of ours.
 * Redirects are not followed. Of an answer nothing is kept but the status: an answer that somebody could read would make us
 * his eyes in our network.
 */
@Injectable()
export class ReceiverClient {
  private readonly guard: NetworkGuard;

  constructor(
    @InjectConfig() private readonly config: Pick<OrchestratorConfig, 'webhooks'>,
    @Optional() resolve?: ResolveName,
  ) {
    this.guard = new NetworkGuard(config.webhooks.allowedNetworks, resolve);
  }

  /** Without encryption only to networks that the operator has named. */
  get allowsPlainHttp(): boolean {
    return this.config.webhooks.allowedNetworks.length > 0;
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
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      maxHeaderSize: answerHeaderBytesMax,
      signal: AbortSignal.timeout(this.config.webhooks.timeoutMs),
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
