import { hkdfSync } from 'node:crypto';
import { keyBytes, open, seal, unreadable } from './aes-gcm.js';
import { unwrapDataKey, type DataKey } from './data-key.js';
import type { MasterKeys } from './master-keys.js';
import { workspaceOf } from './secrets.js';

/**
 * Bytes that carry the wrapped key they are opened with:
 *
 *   0        format, 0xE1
 *   1        length of the master key's id, then the id
 *   then     length of the wrapped data key, then it
 *   then     nonce, ciphertext and tag
 *
 * Whoever has the master key opens them without asking anybody, also after the workspace has got another data key.
 */
const format = 0xe1;

/** What sealed bytes belong to: nothing opens under another name. */
export interface SealedFor {
  /** `<workspace>/<group>`; each has a key of its own, so that none seals too much under random nonces. */
  readonly group: string;
  /** Which of the group's bytes these are. */
  readonly name: string;
}

export function sealBytes(bytes: Uint8Array, { masterKeyId, wrappedKey, key }: DataKey, place: SealedFor): Buffer {
  const id = Buffer.from(masterKeyId, 'utf8');
  return Buffer.concat([
    ...[Buffer.of(format, id.byteLength), id, Buffer.of(wrappedKey.byteLength), wrappedKey],
    seal(bytes, groupKey(key, place), aadOf(place)),
  ]);
}

/** @throws AppError `secret.unreadable` where anything was changed, or was sealed for another place or workspace */
export function openBytes(sealed: Uint8Array, masterKeys: MasterKeys, place: SealedFor): Buffer {
  if (sealed[0] !== format) throw unreadable('it was not sealed');
  const [id, afterId] = partAt(sealed, 1);
  const [wrappedKey, afterKey] = partAt(sealed, afterId);
  const wrapped = { masterKeyId: Buffer.from(id).toString('utf8'), wrappedKey };
  const { key } = unwrapDataKey(wrapped, masterKeys, workspaceOf(place.group));
  return open(sealed.subarray(afterKey), groupKey(key, place), aadOf(place));
}

/** A part with its length in one byte before it, and where the next begins. */
function partAt(sealed: Uint8Array, at: number): [Uint8Array, number] {
  const end = at + 1 + (sealed[at] ?? 0);
  if (end > sealed.byteLength) throw unreadable('it is too short');
  return [sealed.subarray(at + 1, end), end];
}

function groupKey(key: Uint8Array, { group }: SealedFor): Uint8Array {
  workspaceOf(group);
  return new Uint8Array(hkdfSync('sha256', key, '', group, keyBytes));
}

function aadOf({ group, name }: SealedFor): string {
  return `${group}/${name}`;
}
