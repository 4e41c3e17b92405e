import { createHash } from 'node:crypto';

/**
 * What is kept of a secret that is itself random and long: who reads the database has none of them. A secret that somebody has
 * thought up needs a slow hash instead.
 */
export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
