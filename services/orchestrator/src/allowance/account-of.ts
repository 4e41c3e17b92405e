import type { Principal } from '#libs/identity';

/** Whose use it is: guests count together, as the service account that lets them in, whatever number of them it makes. */
export function accountOf({ userId, guest }: Pick<Principal, 'userId' | 'guest'>): string {
  return guest?.mintedById ?? userId;
}
