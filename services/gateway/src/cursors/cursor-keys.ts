import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';

const keyBytes = 32;
const macBytes = 16;

/** The keys that authenticate cursors. The first signs; the others still verify what they signed. */
export class CursorKeys {
  private constructor(private readonly keys: readonly [KeyObject, ...KeyObject[]]) {}

  /** From `k1:<base64 of 32 bytes>,k2:…`, or undefined where it is not that. */
  static parse(text: string): CursorKeys | undefined {
    const keys = text.split(',').map(parseKey);
    const [first, ...others] = keys.filter((key) => key !== undefined);
    return first && others.length === keys.length - 1 ? new CursorKeys([first, ...others]) : undefined;
  }

  /** `purpose` keeps a token of one kind from being taken for one of another. */
  sign(purpose: string, payload: string): Buffer {
    return macOf(this.keys[0], purpose, payload);
  }

  /** Keys for something else, one out of each of these, from which nothing can be learnt of them. */
  derived(purpose: string): readonly [KeyObject, ...KeyObject[]] {
    const [first, ...others] = this.keys;
    return [derive(first, purpose), ...others.map((key) => derive(key, purpose))];
  }

  verify(purpose: string, payload: string, mac: Uint8Array): boolean {
    return mac.byteLength === macBytes && this.keys.some((key) => timingSafeEqual(macOf(key, purpose, payload), mac));
  }
}

function parseKey(entry: string): KeyObject | undefined {
  const match = /^[A-Za-z0-9_-]{1,40}:([A-Za-z0-9+/]+={0,2})$/.exec(entry.trim());
  const key = Buffer.from(match?.[1] ?? '', 'base64');
  return key.length === keyBytes ? createSecretKey(key) : undefined;
}

function derive(key: KeyObject, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `sluice/${purpose}`, keyBytes)));
}

function macOf(key: KeyObject, purpose: string, payload: string): Buffer {
  // Half of a SHA-256 is as much as is needed: a forger has to ask the server for each try.
  return createHmac('sha256', key).update(`${purpose}\n${payload}`).digest().subarray(0, macBytes);
}
