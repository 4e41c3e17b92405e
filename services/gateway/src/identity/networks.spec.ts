import { describe, expect, it } from 'vitest';
import type { Principal } from '#libs/identity';
import { demandNetwork } from './networks.js';

function isLetIn(networks: string[] | undefined, address: string | undefined): boolean {
  const principal: Principal = {
    ...{ userId: 'usr_1', workspaceId: 'wsp_1', groups: [], networks },
    permissions: new Set(),
    issuedAt: new Date(),
    expiresAt: new Date(),
  };
  try {
    demandNetwork(principal, address);
    return true;
  } catch {
    return false;
  }
}

describe('API key scope: the networks of a key', () => {
  it.each([
    [['10.0.0.0/8'], '10.1.2.3', true],
    [['10.0.0.0/8'], '11.1.2.3', false],
    [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
    [['10.0.0.0/8'], '::ffff:11.1.2.3', false],
    [['2001:db8::/32'], '2001:db8::1', true],
    [['2001:db8::/32'], '2001:db9::1', false],
    [['192.0.2.7/32', '2001:db8::/32'], '192.0.2.7', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['0.0.0.0/0'], 'nonsense', false],
    [[], '10.1.2.3', false],
  ])('%j let in %s: %s', (networks, address, due) => {
    expect(isLetIn(networks, address)).toBe(due);
  });

  it('that has none let in from everywhere, and one that has some lets nobody in from nowhere', () => {
    expect(isLetIn(undefined, undefined)).toBe(true);
    expect(isLetIn(['0.0.0.0/0'], undefined)).toBe(false);
  });
});
