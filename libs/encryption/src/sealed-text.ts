import { open, seal, unreadable } from './aes-gcm.js';
import { unwrapDataKey, type DataKey, type WrappedDataKey } from './data-key.js';
import type { MasterKeys } from './master-keys.js';
import { workspaceOf } from './secrets.js';

/**
 * One secret as one text, `<master key>:<wrapped key>:<ciphertext>`, for a place that holds texts.
 * @param aad `<workspace>/<row>`, as for `sealSecrets`
 */
export function sealText(text: string, { masterKeyId, wrappedKey, key }: DataKey, aad: string): string {
  workspaceOf(aad);
  const [wrapped, ciphertext] = [wrappedKey, seal(Buffer.from(text, 'utf8'), key, aad)].map(toText);
  return `${masterKeyId}:${wrapped}:${ciphertext}`;
}

/** Whether a text was sealed by this data key, as it is wrapped now. */
export function isTextSealedBy(sealed: string, { masterKeyId, wrappedKey }: WrappedDataKey): boolean {
  return sealed.startsWith(`${masterKeyId}:${toText(wrappedKey)}:`);
}

/** @throws AppError `secret.unreadable` where anything was changed, or belongs to another row or workspace */
export function openText(sealed: string, masterKeys: MasterKeys, aad: string): string {
  const [masterKeyId, wrapped, ciphertext, ...others] = sealed.split(':');
  if (masterKeyId === undefined || wrapped === undefined || ciphertext === undefined || others.length > 0) {
    throw unreadable('it is no sealed text');
  }
  const wrappedKey = Buffer.from(wrapped, 'base64url');
  const { key } = unwrapDataKey({ masterKeyId, wrappedKey }, masterKeys, workspaceOf(aad));
  return open(Buffer.from(ciphertext, 'base64url'), key, aad).toString('utf8');
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
