import type { JsonObject } from '#libs/kernel';
import { open, seal, unreadable } from './aes-gcm.js';
import { unwrapDataKey, type DataKey } from './data-key.js';
import type { MasterKeys } from './master-keys.js';

/** Secrets as they are stored and cross the bus. */
export interface SealedSecrets {
  readonly masterKeyId: string;
  readonly wrappedKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** @param aad `<workspace>/<row>`: what the ciphertext is bound to, so that it is worth nothing in another row */
export function sealSecrets(
  secrets: JsonObject,
  { masterKeyId, wrappedKey, key }: DataKey,
  aad: string,
): SealedSecrets {
  workspaceOf(aad);
  return { masterKeyId, wrappedKey, ciphertext: seal(Buffer.from(JSON.stringify(secrets), 'utf8'), key, aad) };
}

/** @throws AppError `secret.unreadable` where anything was changed, or belongs to another row or workspace */
export function openSecrets(sealed: SealedSecrets, masterKeys: MasterKeys, aad: string): JsonObject {
  const { key } = unwrapDataKey(sealed, masterKeys, workspaceOf(aad));
  const plain = open(sealed.ciphertext, key, aad).toString('utf8');
  // The tag proves that sealSecrets wrote this, which writes objects only.
  return JSON.parse(plain) as JsonObject;
}

export function workspaceOf(aad: string): string {
  const slash = aad.indexOf('/');
  if (slash < 1 || slash === aad.length - 1) throw unreadable('it is not bound to <workspace>/<row>');
  return aad.slice(0, slash);
}
