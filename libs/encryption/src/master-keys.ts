import { keyBytes, unreadable } from './aes-gcm.js';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * The keys that wrap the data keys of workspaces; they exist in settings only. The first one wraps, all of them unwrap, so a
 * new key is put first and the old one stays until nothing is wrapped by it any more.
 */
export class MasterKeys {
  private constructor(
    readonly currentId: string,
    private readonly keys: ReadonlyMap<string, Uint8Array>,
  ) {}

  /**
   * @param text such as `k2:<base64 of 32 bytes>,k1:<base64 of 32 bytes>`
   * @throws Error that says what is wrong, and never repeats any part of a key
   */
  static parse(text: string): MasterKeys {
    const keys = new Map<string, Uint8Array>();
    const entries = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    for (const [index, entry] of entries.entries()) {
      const [id, key] = parseEntry(entry, index + 1);
      if (keys.has(id)) throw new Error(`the master key ${id} is there twice`);
      keys.set(id, key);
    }
    const [currentId] = keys.keys();
    if (currentId === undefined) throw new Error('there is no master key');
    return new MasterKeys(currentId, keys);
  }

  get current(): Uint8Array {
    return this.get(this.currentId);
  }

  /** @throws AppError `secret.unreadable` where the settings do not have this key */
  get(id: string): Uint8Array {
    const key = this.keys.get(id);
    if (!key) throw unreadable(`the settings have no master key ${JSON.stringify(id)}`);
    return key;
  }
}

function parseEntry(entry: string, place: number): [string, Uint8Array] {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, Math.max(colon, 0));
  if (!idPattern.test(id)) throw new Error(`master key ${place} has no id in front of a colon`);
  const text = entry.slice(colon + 1);
  const key = Buffer.from(text, 'base64');
  // Buffer.from passes over what is not base64, so only a round trip shows that nothing was passed over.
  if (key.byteLength !== keyBytes || key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new Error(`the master key ${id} is not the base64 of ${keyBytes} bytes`);
  }
  return [id, key];
}
