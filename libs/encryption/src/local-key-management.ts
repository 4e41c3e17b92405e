import { keyBytes, open, seal } from './aes-gcm.js';
import type { KeyManagement } from './key-management.js';

/** A key of its own, apart from what it seals: such as in a file that is mounted from elsewhere. */
export class LocalKeyManagement implements KeyManagement {
  private readonly key: Buffer;

  /** @param text the base64 of 32 bytes @throws Error that repeats no part of it */
  constructor(text: string) {
    this.key = Buffer.from(text, 'base64');
    if (this.key.byteLength !== keyBytes) throw new Error(`the key is not the base64 of ${keyBytes} bytes`);
  }

  async seal(key: Uint8Array, name: string): Promise<string> {
    return seal(key, this.key, aadOf(name)).toString('base64');
  }

  async open(sealed: string, name: string): Promise<Uint8Array> {
    return open(Buffer.from(sealed, 'base64'), this.key, aadOf(name));
  }
}

function aadOf(name: string): string {
  return `master key ${name}`;
}
