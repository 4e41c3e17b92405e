import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { until } from './until.js';

/** What tests do to a Vault that has a transit engine at `transit` and the key `sluice` in it. */
export interface TestVault {
  readonly url: string;
  /** It may do everything. */
  readonly rootToken: string;
  /** A new token, which may `update` these paths and do nothing else. */
  tokenFor(...paths: readonly string[]): Promise<string>;
  /** The key gets a new version, which seals; all open. */
  rotate(): Promise<void>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** It refuses what is above so many requests a second, until it is told otherwise. */
  limit(requestsEachSecond: number): Promise<void>;
  stop(): Promise<void>;
}

/** Where `deploy/tools/vault-server.mjs` puts the server; it is built once for a machine. */
const serverPath = process.env['SLUICE_TEST_VAULT_SERVER'] ?? join(homedir(), '.cache', 'sluice', 'vault-v1.21.2');

/** What `npm run test:vault` says: whatever takes the real one where it is there has to take it. */
export const needsVaultServer = process.env['SLUICE_TEST_VAULT'] === '1';

/** It needs Go to be built. */
export const hasVaultServer = needsVaultServer || existsSync(serverPath);

/** A real Vault, or OpenBao, of the test's own: in memory, on a free port of 127.0.0.1. */
export class VaultServer implements TestVault {
  readonly rootToken = randomBytes(12).toString('hex');
  private process: ChildProcess | undefined;
  private unsealKey: string | undefined;

  private constructor(private readonly port: number) {}

  static async start(): Promise<VaultServer> {
    const server = new VaultServer(await freePort());
    try {
      await server.launch();
      await server.ask('sys/mounts/transit', { type: 'transit' });
      await server.ask('transit/keys/sluice', { type: 'aes256-gcm96' });
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async tokenFor(...paths: readonly string[]): Promise<string> {
    const name = randomBytes(4).toString('hex');
    const policy = paths.map((path) => `path "${path}" { capabilities = ["update"] }`).join('\n');
    await this.ask(`sys/policies/acl/${name}`, { policy });
    const answer = await this.ask('auth/token/create', { policies: [name], no_default_policy: true });
    // So its API documentation has it.
    return ((await answer.json()) as { auth: { client_token: string } }).auth.client_token;
  }

  async rotate(): Promise<void> {
    await this.ask('transit/keys/sluice/rotate');
  }

  async seal(): Promise<void> {
    await this.ask('sys/seal');
  }

  async unseal(): Promise<void> {
    await this.ask('sys/unseal', { key: this.unsealKey });
  }

  async limit(requestsEachSecond: number): Promise<void> {
    await this.ask('sys/quotas/rate-limit/test', { rate: requestsEachSecond, path: 'transit/' });
  }

  async stop(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null || child.pid === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  private async launch(): Promise<void> {
    const listen = `-dev-listen-address=127.0.0.1:${this.port}`;
    const child = spawn(serverPath, ['server', '-dev', '-dev-no-store-token', listen], {
      // Each of the two programs has its own name for it.
      env: { HOME: tmpdir(), VAULT_DEV_ROOT_TOKEN_ID: this.rootToken, BAO_DEV_ROOT_TOKEN_ID: this.rootToken },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.process = child;
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text.toString();
      this.unsealKey ??= /^Unseal Key: (\S+)$/m.exec(said)?.[1];
    });
    await until(() => failure ?? this.unsealKey, { what: `Vault on port ${this.port}` });
    if (failure) throw failure;
  }

  private async ask(path: string, body: object = {}): Promise<Response> {
    const headers = { 'x-vault-token': this.rootToken };
    const answer = await fetch(`${this.url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${path}: ${await answer.text()}`);
    return answer;
  }
}
