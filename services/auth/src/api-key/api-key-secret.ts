import { randomBytes, timingSafeEqual } from 'node:crypto';
import { secretHash } from '#libs/encryption';

const form = /^(slk_[0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

export interface NewSecret {
  readonly secret: string;
  readonly prefix: string;
  readonly hash: Buffer;
}

/** `slk_<prefix>_<256 random bits>`: the prefix finds the key and may be shown, the whole is shown once. */
export function newSecret(): NewSecret {
  const prefix = `slk_${randomBytes(6).toString('hex')}`;
  const secret = `${prefix}_${randomBytes(32).toString('base64url')}`;
  return { secret, prefix, hash: secretHash(secret) };
}

export function prefixOf(secret: string): string | undefined {
  return form.exec(secret)?.[1];
}

/** A fast hash is enough for 256 random bits, and is compared in constant time. */
export function matchesHash(secret: string, hash: Buffer): boolean {
  return timingSafeEqual(secretHash(secret), hash);
}
