import { createHash, createHmac, randomBytes } from 'node:crypto';

const prefix = 'slr_';
const form = /^slr_[A-Za-z0-9_-]{43}$/;

/** The first refresh token of a session: 256 random bits. */
export function newRefreshToken(): string {
  return prefix + randomBytes(32).toString('base64url');
}

export function newSuccessorSalt(): Buffer {
  return randomBytes(32);
}

/**
 * The token that takes over. Whoever has the old token and the salt gets the same one again, so that a refresh whose answer
 * was lost can be repeated without branching the session; who has only the database can make neither.
 */
export function successorOf(token: string, salt: Buffer): string {
  return prefix + createHmac('sha256', token).update(salt).digest('base64url');
}

/** What is stored of a token; undefined for what cannot be one. A fast hash is enough for 256 random bits. */
export function hashOfRefreshToken(token: string): Buffer | undefined {
  return form.test(token) ? createHash('sha256').update(token).digest() : undefined;
}
