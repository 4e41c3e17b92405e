import { hash } from 'node:crypto';
import type { Principal } from '#libs/identity';

/** A token proves the same principal object each time, and many sessions come with one token. */
const known = new WeakMap<Principal, string>();

/**
 * What decides over what a principal may be told: the same for all that is equal in identity and rights, whichever sign-in or token
 * proves it, and until when. Whatever else a principal comes to have tells it apart.
 */
export function rightsOf(principal: Principal): string {
  const rights = known.get(principal) ?? digestOf(principal);
  known.set(principal, rights);
  return rights;
}

function digestOf(principal: Principal): string {
  const { sessionId: _sessionId, issuedAt: _issuedAt, expiresAt: _expiresAt, ...proven } = principal;
  const named = Object.entries(proven).sort(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify(named, spread), 'base64');
}

/** As it is, JSON has nothing of what is in a set or a map. */
function spread(_key: string, value: unknown): unknown {
  return value instanceof Set || value instanceof Map ? [...(value as Iterable<unknown>)].sort() : value;
}
