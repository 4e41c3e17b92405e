import { describe, expect, it } from 'vitest';
import type { Principal, TokenVerifier } from '#libs/identity';
import { AppError } from '#libs/kernel';
import type { ApiKeyExchange } from './api-key-exchange.js';
import { AuthenticatorService } from './authenticator.service.js';
import type { SessionCookieExchange } from './session-cookie-exchange.js';
import { TokenExchange } from './token-exchange.js';

const inAMinute = new Date(60_000);
const revoked = new Set<string>();
const verifier = {
  verify: async (token: string): Promise<Partial<Principal>> => {
    if (revoked.has(token)) throw new AppError('auth.token_revoked', 'The access token is no longer good.');
    return { networks: ['10.0.0.0/8'] };
  },
} as TokenVerifier;

/** A gateway whose key has been exchanged for the token `first`, and is for `then` from now on. */
async function aGateway(
  then: () => string,
): Promise<{ ask: (address?: string) => Promise<string>; asked: () => number }> {
  const tokens = [() => 'first'];
  let asked = 0;
  const exchange = new TokenExchange({ nowMs: 0 }, async () => {
    asked += 1;
    return { accessToken: (tokens.shift() ?? then)(), expiresAt: inAMinute };
  });
  const authenticator = new AuthenticatorService(
    verifier,
    exchange as ApiKeyExchange,
    exchange as SessionCookieExchange,
  );
  const ask = async (address?: string): Promise<string> =>
    (await authenticator.authenticate('Key slk_one', 'req_1', address)).accessToken;
  revoked.clear();
  expect(await ask()).toBe('first');
  return { ask, asked: () => asked };
}

describe('an API key whose token was revoked', () => {
  it('goes on with a new one where the key itself is good, as after a change of rights', async () => {
    const { ask, asked } = await aGateway(() => 'second');
    revoked.add('first');
    expect(await ask()).toBe('second');
    expect(await ask()).toBe('second');
    expect(asked()).toBe(2);
  });

  it('is refused by what is said of the key where it is not', async () => {
    const { ask } = await aGateway(() => {
      throw new AppError('auth.unauthenticated', 'The API key was revoked.');
    });
    revoked.add('first');
    await expect(ask()).rejects.toThrow('The API key was revoked.');
  });

  it('is exchanged once more and no oftener for one request, where new tokens are refused too', async () => {
    const { ask, asked } = await aGateway(() => 'second');
    revoked.add('first').add('second');
    await expect(ask()).rejects.toMatchObject({ code: 'auth.token_revoked' });
    expect(asked()).toBe(2);
  });
});

it('an API key of other networks is told so, and where it came from', async () => {
  const { ask } = await aGateway(() => 'second');
  expect(await ask('10.1.2.3')).toBe('first');
  await expect(ask('192.0.2.7')).rejects.toMatchObject({
    publicMessage: 'The API key is for other networks: this request came from 192.0.2.7.',
  });
});
