import { createHash, randomBytes } from 'node:crypto';

/** What a token is for: one that resets a password accepts no invitation. */
export type PasswordTokenPurpose = 'RESET' | 'INVITATION';

const form = /^slp_[A-Za-z0-9_-]{43}$/;

/** 256 random bits. */
export function newPasswordToken(): string {
  return `slp_${randomBytes(32).toString('base64url')}`;
}

/** What is stored of a token, bound to its purpose; undefined for what cannot be one. */
export function hashOfPasswordToken(token: string, purpose: PasswordTokenPurpose): Buffer | undefined {
  return form.test(token) ? createHash('sha256').update(`${purpose}\0${token}`).digest() : undefined;
}
