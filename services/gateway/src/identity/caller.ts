import type { Principal } from '#libs/identity';

export const signInFirst = 'Sign in first: send "Bearer <access token>" or "Key <API key>" as authorization.';

/** Who asks, proven, and the proof that goes with each request to a service. */
export interface Caller {
  readonly principal: Principal;
  readonly accessToken: string;
}

/** The same caller in the same workspace has the same; API keys are callers of their own. */
export function callerIdOf({ principal }: Caller): string {
  return principal.guest ? principal.userId : (principal.apiKeyId ?? principal.userId);
}
