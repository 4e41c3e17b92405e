import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { cookieNames, cookieOf, setCookie, setSessionCookie } from './cookies.js';

const requestWith = (cookie?: string) => ({ headers: { cookie } }) as IncomingMessage;

describe('the cookie of a session', () => {
  it('is this host’s alone, sent over encrypted connections, hidden from scripts and not sent from other sites', () => {
    const header = setCookie(cookieNames.session, 'x'.repeat(43), { sameSite: 'Lax', maxAgeSeconds: 60.9 });
    expect(header).toBe(`__Host-sluice-session=${'x'.repeat(43)}; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax`);
    expect(setCookie(cookieNames.session, '', { sameSite: 'Lax', maxAgeSeconds: 60 })).toContain('Max-Age=0;');
  });

  it('is kept until its session ends, or where that is set until the browser is closed, and taken away at once by either', () => {
    const value = 'x'.repeat(43);
    const endsAt = new Date(Date.now() + 60_500);
    expect(setSessionCookie(value, endsAt, 'session')).toContain(`${value}; Path=/; Max-Age=60; `);
    expect(setSessionCookie(value, endsAt, 'browser')).toBe(
      `__Host-sluice-session=${value}; Path=/; Secure; HttpOnly; SameSite=Lax`,
    );
    expect(setSessionCookie('', undefined, 'session')).toContain('Max-Age=0;');
    expect(setSessionCookie('', undefined, 'browser')).toContain('Max-Age=0;');
  });

  it('is found among others', () => {
    expect(cookieOf(requestWith('a=1; __Host-sluice-session=abc; b=2'), cookieNames.session)).toBe('abc');
  });

  it.each([undefined, '', 'a=1', '__Host-sluice-session=', '__Host-sluice-session=a b', 'x__Host-sluice-session=abc'])(
    'is not found in %j',
    (cookie) => {
      expect(cookieOf(requestWith(cookie), cookieNames.session)).toBeUndefined();
    },
  );

  it('counts for nothing where it comes twice, as one of the two is a stranger’s', () => {
    const twice = '__Host-sluice-session=abc; __Host-sluice-session=def';
    expect(cookieOf(requestWith(twice), cookieNames.session)).toBeUndefined();
  });
});
