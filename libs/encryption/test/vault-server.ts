import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Body {
  readonly plaintext?: string;
  readonly ciphertext?: string;
  readonly associated_data?: string;
}

/**
 * The transit engine of Vault as its API documentation has it: aes256-gcm96 with associated data, versions of a key, tokens,
 * and the answers of a server that is sealed or denies something.
 */
export class VaultServer {
  readonly token = randomBytes(12).toString('hex');
  readonly asked: string[] = [];
  /** How many of the next requests find it sealed. */
  sealedFor = 0;
  private readonly versions = [randomBytes(32)];
  private readonly server: Server;

  private constructor(private readonly key: string) {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async start(key: string): Promise<VaultServer> {
    const started = new VaultServer(key);
    await new Promise<void>((resolve) => started.server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get url(): string {
    // A server that listens on TCP has an address of this kind.
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The key gets a new version, which seals; all open. */
  rotate(): void {
    this.versions.push(randomBytes(32));
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
    this.asked.push(url);
    if (this.sealedFor > 0) {
      this.sealedFor -= 1;
      return [503];
    }
    if (headers['x-vault-token'] !== this.token) return [403];
    const [, verb, key] = /^\/v1\/transit\/(encrypt|decrypt)\/([\w-]+)$/.exec(url) ?? [];
    if (method !== 'POST' || verb === undefined) return [404];
    if (key !== this.key) return [400];
    const aad = Buffer.from(body.associated_data ?? '', 'base64');
    if (verb === 'encrypt') return [200, { ciphertext: this.encrypt(body.plaintext ?? '', aad) }];
    const plaintext = this.decrypt(body.ciphertext ?? '', aad);
    return plaintext === undefined ? [400] : [200, { plaintext }];
  }

  private encrypt(plaintext: string, aad: Buffer): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.versions.at(-1) ?? '', nonce).setAAD(aad);
    const sealed = [nonce, cipher.update(plaintext, 'base64'), cipher.final(), cipher.getAuthTag()];
    return `vault:v${this.versions.length}:${Buffer.concat(sealed).toString('base64')}`;
  }

  private decrypt(ciphertext: string, aad: Buffer): string | undefined {
    const [, version, text = ''] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
    const key = this.versions[Number(version) - 1];
    if (!key) return undefined;
    const sealed = Buffer.from(text, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad);
    try {
      decipher.setAuthTag(sealed.subarray(-16));
      return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString('base64');
    } catch {
      return undefined;
    }
  }
}
