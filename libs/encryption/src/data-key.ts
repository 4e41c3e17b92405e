import { randomBytes } from 'node:crypto';
import { keyBytes, open, seal, unreadable } from './aes-gcm.js';
import type { MasterKeys } from './master-keys.js';

/** A data key as it is kept and sent: useless without the master key that its id names. */
export interface WrappedDataKey {
  readonly masterKeyId: string;
  readonly wrappedKey: Uint8Array;
}

/** A workspace's data key, open, with the wrapped form that goes beside whatever it seals. */
export interface DataKey extends WrappedDataKey {
  readonly key: Uint8Array;
}

/** A new random data key, wrapped for one workspace. */
export function newDataKey(masterKeys: MasterKeys, workspaceId: string): DataKey {
  return wrapDataKey(randomBytes(keyBytes), masterKeys, workspaceId);
}

/** Wraps a key by the current master key, for one workspace alone. */
export function wrapDataKey(key: Uint8Array, masterKeys: MasterKeys, workspaceId: string): DataKey {
  return { masterKeyId: masterKeys.currentId, wrappedKey: seal(key, masterKeys.current, workspaceId), key };
}

/** @throws AppError `secret.unreadable` where it was changed, is another workspace's, or its master key is not there */
export function unwrapDataKey(wrapped: WrappedDataKey, masterKeys: MasterKeys, workspaceId: string): DataKey {
  const { masterKeyId, wrappedKey } = wrapped;
  const key = open(wrappedKey, masterKeys.get(masterKeyId), workspaceId);
  if (key.byteLength !== keyBytes) throw unreadable('what was wrapped is no key');
  return { masterKeyId, wrappedKey, key };
}
