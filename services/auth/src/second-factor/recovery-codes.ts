import { randomInt } from 'node:crypto';
import { secretHash } from '#libs/encryption';

const count = 10;
const alphabet = 'abcdefghjkmnpqrstvwxyz23456789';
const letters = 20;

export interface RecoveryCode {
  readonly code: string;
  readonly hash: Buffer;
}

/** As many as one set has, each of 98 random bits, in groups that can be copied from paper. */
export function newRecoveryCodes(): RecoveryCode[] {
  return Array.from({ length: count }, () => {
    const text = Array.from({ length: letters }, () => alphabet[randomInt(alphabet.length)]).join('');
    return { code: (text.match(/.{5}/g) ?? []).join('-'), hash: secretHash(text) };
  });
}

/** What is stored of a recovery code; undefined for what cannot be one. A fast hash is enough for as many random bits. */
export function hashOfRecoveryCode(typed: string): Buffer | undefined {
  const text = typed.replaceAll(/[\s-]/g, '').toLowerCase();
  return text.length === letters ? secretHash(text) : undefined;
}
