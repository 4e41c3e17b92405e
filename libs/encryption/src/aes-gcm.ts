import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from '#libs/kernel';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export const keyBytes = 32;

/** Nonce, ciphertext and tag, one behind the other. The nonce is random: one key seals far fewer than 2^32 texts. */
export function seal(plain: Uint8Array, key: Uint8Array, aad: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(aad, 'utf8'));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws AppError `secret.unreadable` where the text, the key or what it is bound to is not the one of sealing */
export function open(sealed: Uint8Array, key: Uint8Array, aad: string): Buffer {
  if (sealed.byteLength < nonceBytes + tagBytes) throw unreadable('it is too short');
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(aad, 'utf8'));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw unreadable('it was changed, moved, or sealed with another key', cause);
  }
}

export function unreadable(why: string, cause?: unknown): AppError {
  return new AppError('secret.unreadable', 'A stored secret cannot be read.', {
    internalMessage: `a secret cannot be read: ${why}`,
    cause,
  });
}
