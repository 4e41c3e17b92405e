import { isId } from '#libs/kernel';
import type { Principal } from './principal.js';

/** What the audit log calls who asks. */
export function actorKindOf({
  guest,
  userId,
}: Pick<Principal, 'guest' | 'userId'>): 'USER' | 'SERVICE_ACCOUNT' | 'GUEST' {
  if (guest) return 'GUEST';
  return isId('serviceAccount', userId) ? 'SERVICE_ACCOUNT' : 'USER';
}
