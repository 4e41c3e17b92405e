import type { LookupOptions } from 'node:dns';
import { lookup as resolveName } from 'node:dns/promises';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { isIP, type BlockList, type TcpNetConnectOpts } from 'node:net';
import { callbackify } from 'node:util';
import { Injectable, Optional } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { networkList } from '#libs/outbound';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { failureOf, RefusedAddress } from './receiver-failures.js';

/** What came of one attempt. `failure` is absent where the receiver has taken it. */
export interface ReceiverAnswer {
  readonly status?: number;
  readonly failure?: string;
  /** The receiver's own wish. */
  readonly retryAfterSeconds?: number;
}

interface NamedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. */
export type ResolveName = (hostname: string) => Promise<NamedAddress[]>;

/** As much of an answer is read and forgotten, so that a well-meaning receiver sees no reset. */
const answerBytesMax = 16 * 1_024;
const answerHeaderBytesMax = 16 * 1_024;

/**
 * Sends a webhook. Whoever makes one chooses where we connect to, so the very addresses that we connect to are checked: a name
 * is resolved once, in the connection itself, and what it resolves to is not asked again. Redirects are not followed. Of an
 * answer nothing is kept but the status: an answer that somebody could read would make us his eyes in our network.
 */
@Injectable()
export class ReceiverClient {
  private readonly allowed: BlockList;

  constructor(
    @InjectConfig() private readonly config: Pick<OrchestratorConfig, 'webhooks'>,
    @Optional() private readonly resolve: ResolveName = (hostname) => resolveName(hostname, { all: true }),
  ) {
    this.allowed = networkList(config.webhooks.allowedNetworks);
  }

  /** Without encryption only to networks that the operator has named. */
  get allowsPlainHttp(): boolean {
    return this.config.webhooks.allowedNetworks.length > 0;
  }

  /** Whether the URL itself rules out that anything can be sent there; a name is looked up when it is connected to. */
  async isRefused({ protocol, hostname }: URL): Promise<boolean> {
    const host = unbracketed(hostname);
    return isIP(host) !== 0 && !(await this.mayReach(host, protocol));
  }

  async post(address: string, headers: Record<string, string>, body: string): Promise<ReceiverAnswer> {
    const url = new URL(address);
    try {
      // The connection looks up names alone; an address in the URL itself would pass it by.
      if (await this.isRefused(url)) throw new RefusedAddress();
      return answerOf(await this.send(url, headers, body));
    } catch (error) {
      return { failure: failureOf(error) };
    }
  }

  private async send(url: URL, headers: Record<string, string>, body: string): Promise<IncomingMessage> {
    // Loaded with the first delivery: most installations have none.
    const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    const options: RequestOptions & Pick<TcpNetConnectOpts, 'autoSelectFamily'> = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      // A connection of its own, closed behind it: one that is kept was checked for another time.
      agent: false,
      // Has the lookup asked for all addresses, which is the one form of answer that it gives.
      autoSelectFamily: true,
      lookup: callbackify((hostname: string, _options: LookupOptions) => this.checkedAddresses(hostname, url.protocol)),
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

  /** In the place of the system's own lookup: what it gives back is what the socket connects to. */
  private async checkedAddresses(hostname: string, protocol: string): Promise<NamedAddress[]> {
    const addresses = await this.resolve(hostname);
    if (addresses.length === 0) throw new RefusedAddress();
    // One bad address among good ones is a trap: which one is connected to would be left to chance.
    for (const { address } of addresses) if (!(await this.mayReach(address, protocol))) throw new RefusedAddress();
    return addresses;
  }

  private async mayReach(address: string, protocol: string): Promise<boolean> {
    const { mayReach } = await import('#libs/outbound');
    return mayReach(address, protocol, this.allowed);
  }
}

function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
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
