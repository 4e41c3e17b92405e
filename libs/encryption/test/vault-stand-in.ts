import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestVault } from '#libs/testing';
import { TransitKey } from './transit-key.js';

interface Body {
  readonly plaintext?: string;
  readonly ciphertext?: string;
  readonly associated_data?: string;
}

/** Stands in for Vault where there is no Go to build one; the same tests hold both to the same answers. */
export class VaultStandIn implements TestVault {
  readonly rootToken = randomBytes(12).toString('hex');
  private readonly keys = new Map([['sluice', new TransitKey()]]);
  /** What each token may update. */
  private readonly policies = new Map<string, readonly string[]>();
  private isSealed = false;
  private requestsEachSecond = Infinity;
  private readonly answeredAtMs: number[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<VaultStandIn> {
    const started = new VaultStandIn();
    await new Promise<void>((resolve) => started.server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get url(): string {
    // A server that listens on TCP has an address of this kind.
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async tokenFor(...paths: readonly string[]): Promise<string> {
    const token = randomBytes(12).toString('hex');
    this.policies.set(token, paths);
    return token;
  }

  async rotate(): Promise<void> {
    this.keys.get('sluice')?.rotate();
  }

  async seal(): Promise<void> {
    this.isSealed = true;
  }

  async unseal(): Promise<void> {
    this.isSealed = false;
  }

  async limit(requestsEachSecond: number): Promise<void> {
    this.requestsEachSecond = requestsEachSecond;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
    const [status, data] = this.handle(request, JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { data } : { errors: ['no'] }));
  }

  private handle({ method, url = '', headers }: IncomingMessage, body: Body): [number, object?] {
    // To where the path has none of it; nobody here follows.
    if (url.includes('//')) return [307];
    if (this.isSealed) return [503];
    if (this.isOverLimit()) return [429];
    const path = url.slice('/v1/'.length);
    const token = String(headers['x-vault-token']);
    if (token !== this.rootToken && !this.policies.get(token)?.includes(path)) return [403];
    const [, verb, name = ''] = /^transit\/(encrypt|decrypt)\/([\w.-]+)$/.exec(path) ?? [];
    if (method !== 'POST' || verb === undefined) return [404];
    const aad = Buffer.from(body.associated_data ?? '', 'base64');
    if (verb === 'encrypt') return this.encrypt(name, token, body.plaintext ?? '', aad);
    const plaintext = this.keys.get(name)?.decrypt(body.ciphertext ?? '', aad);
    return plaintext === undefined ? [400] : [200, { plaintext }];
  }

  private encrypt(name: string, token: string, plaintext: string, aad: Buffer): [number, object?] {
    let key = this.keys.get(name);
    if (!key) {
      // To seal by a key that is not there is to create it, which is another right.
      if (token !== this.rootToken) return [403];
      key = new TransitKey();
      this.keys.set(name, key);
    }
    return [200, { ciphertext: key.encrypt(plaintext, aad) }];
  }

  private isOverLimit(): boolean {
    const nowMs = performance.now();
    const lately = this.answeredAtMs.filter((atMs) => atMs > nowMs - 1_000);
    if (lately.length >= this.requestsEachSecond) return true;
    this.answeredAtMs.splice(0, Infinity, ...lately, nowMs);
    return false;
  }
}
