import { backoffMs, delay } from '#libs/kernel';
import { unreadable } from './aes-gcm.js';
import type { KeyManagement } from './key-management.js';

export interface VaultSettings {
  /** Such as https://vault.example.com:8200. */
  readonly url: string;
  readonly token: string;
  /** Where the transit engine is mounted. */
  readonly mount: string;
  /** The name of the transit key. */
  readonly key: string;
}

const timeoutMs = 5_000;
const attemptsMax = 4;
const pauses = { initialMs: 500, maxMs: 5_000 };

/** The transit engine of HashiCorp Vault or OpenBao: the key never leaves it. Rotating it there needs nothing here. */
export class VaultKeyManagement implements KeyManagement {
  constructor(private readonly settings: VaultSettings) {}

  seal(key: Uint8Array, name: string): Promise<string> {
    return this.ask('encrypt', { plaintext: Buffer.from(key).toString('base64') }, name, 'ciphertext');
  }

  async open(sealed: string, name: string): Promise<Uint8Array> {
    return Buffer.from(await this.ask('decrypt', { ciphertext: sealed }, name, 'plaintext'), 'base64');
  }

  private async ask(
    verb: 'encrypt' | 'decrypt',
    input: Readonly<Record<string, string>>,
    name: string,
    wanted: string,
  ): Promise<string> {
    const body = JSON.stringify({ ...input, associated_data: Buffer.from(name, 'utf8').toString('base64') });
    const response = await this.post(verb, body);
    // What could not be opened; its text may say more of the key than a log should.
    if (response.status === 400 && verb === 'decrypt') throw unreadable('Vault does not open it');
    if (!response.ok) throw new Error(`Vault answered ${response.status} to ${verb}`);
    const value = memberOf(memberOf(await response.json(), 'data'), wanted);
    if (typeof value !== 'string') throw new Error(`Vault answered without ${wanted}`);
    return value;
  }

  /** One that is sealed, in standby, not there yet or asked too often is asked again for some seconds. */
  private async post(verb: string, body: string): Promise<Response> {
    const { url, token, mount, key } = this.settings;
    const address = new URL(`/v1/${mount}/${verb}/${encodeURIComponent(key)}`, url);
    for (let attempt = 1; ; attempt += 1) {
      const headers = { 'content-type': 'application/json', 'x-vault-token': token };
      const signal = AbortSignal.timeout(timeoutMs);
      const outcome = await fetch(address, { method: 'POST', headers, body, redirect: 'error', signal }).catch(
        (cause: unknown) => new Error('Vault cannot be reached', { cause }),
      );
      const isOver = attempt >= attemptsMax;
      if (outcome instanceof Response && (isOver || !isForNow(outcome.status))) return outcome;
      if (outcome instanceof Error && isOver) throw outcome;
      await delay(backoffMs(attempt, pauses));
    }
  }
}

/** 429 comes of a quota of requests: all services of an installation may ask at once. */
function isForNow(status: number): boolean {
  return status >= 500 || status === 429;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
