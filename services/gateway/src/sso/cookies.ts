import type { IncomingMessage } from 'node:http';

/**
 * The cookies that browsers have of us. `__Host-` makes browsers take them over an encrypted connection alone, from this host
 * alone and for all of its paths, so that no other host of the domain can plant one. Browsers count http://localhost and
 * 127.0.0.1 as encrypted, which is what development needs.
 */
export const cookieNames = { session: '__Host-sluice-session', flow: '__Host-sluice-sso' } as const;

type CookieName = (typeof cookieNames)[keyof typeof cookieNames];

const valueForm = /^[A-Za-z0-9_-]{1,128}$/;

/** A cookie of this name; undefined where there is none, or several, of which one would be a stranger's. */
export function cookieOf({ headers }: IncomingMessage, name: CookieName): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  const [value, ...others] = values;
  return value !== undefined && others.length === 0 && valueForm.test(value) ? value : undefined;
}

export interface CookieOptions {
  readonly sameSite: 'Lax' | 'None';
  /** Undefined: the browser forgets it when it is closed. */
  readonly maxAgeSeconds: number | undefined;
}

/** A Set-Cookie header; an empty value takes the cookie away. */
export function setCookie(name: CookieName, value: string, { sameSite, maxAgeSeconds }: CookieOptions): string {
  const age = value === '' ? 0 : maxAgeSeconds;
  const maxAge = age === undefined ? '' : ` Max-Age=${Math.max(0, Math.floor(age))};`;
  return `${name}=${value}; Path=/;${maxAge} Secure; HttpOnly; SameSite=${sameSite}`;
}

/** The cookie of a session: kept until the session ends at the latest, or until the browser is closed. */
export function setSessionCookie(value: string, endsAt: Date | undefined, lifetime: 'session' | 'browser'): string {
  const leftSeconds = ((endsAt?.getTime() ?? 0) - Date.now()) / 1_000;
  const maxAgeSeconds = lifetime === 'browser' ? undefined : leftSeconds;
  return setCookie(cookieNames.session, value, { sameSite: 'Lax', maxAgeSeconds });
}
