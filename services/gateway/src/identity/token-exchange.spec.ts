import { describe, expect, it } from 'vitest';
import { TokenExchange } from './token-exchange.js';

const lifetimeMs = 300_000;

describe('Tokens that are kept for what callers bring', () => {
  it('are exchanged anew before they end by the time of auth, whatever the clock of this machine says', async () => {
    // Years away from this machine's.
    const auth = { nowMs: 1_000_000 };
    let count = 0;
    const exchange = new TokenExchange(auth, async () => {
      count += 1;
      return { accessToken: `token-${count}`, expiresAt: new Date(auth.nowMs + lifetimeMs) };
    });
    expect(await exchange.accessToken('secret', 'r1')).toBe('token-1');
    auth.nowMs += lifetimeMs - 31_000;
    expect(await exchange.accessToken('secret', 'r2')).toBe('token-1');
    auth.nowMs += 2_000;
    expect(await exchange.accessToken('secret', 'r3')).toBe('token-2');
    expect(await exchange.accessToken('secret', 'r4')).toBe('token-2');
  });
});
