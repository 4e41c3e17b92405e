import { describe, expect, it } from 'vitest';
import type { Principal } from '#libs/identity';
import { rightsOf } from './rights-of.js';

const principal: Principal = {
  userId: 'usr_1',
  workspaceId: 'wsp_1',
  sessionId: 'ses_1',
  permissions: new Set(['query.run', 'data_source.manage']),
  groups: ['sales', 'north'],
  issuedAt: new Date(1),
  expiresAt: new Date(2),
};

const isSame = (change: Partial<Principal>): boolean => rightsOf({ ...principal, ...change }) === rightsOf(principal);

describe('Rights', () => {
  it('are the same for each sign-in and token of one who has the same rights', () => {
    expect(isSame({ sessionId: 'ses_2', issuedAt: new Date(3), expiresAt: new Date(4) })).toBe(true);
    expect(isSame({ permissions: new Set(['data_source.manage', 'query.run']) })).toBe(true);
  });

  it('differ with all else that a principal has', () => {
    const guest = { mintedById: 'usr_2', parameters: {}, attributes: { region: 'north' } };
    const others: Partial<Principal>[] = [
      { userId: 'usr_2' },
      { workspaceId: 'wsp_2' },
      { apiKeyId: 'key_1' },
      { permissions: new Set(['query.run']) },
      { groups: ['sales'] },
      { groups: ['sales,north'] },
      { reach: { dataSourceIds: ['src_1'], savedQueryIds: [] } },
      { reach: { dataSourceIds: [], savedQueryIds: ['src_1'] } },
      { networks: ['10.0.0.0/8'] },
      { guest },
      { guest: { ...guest, attributes: { region: 'south' } } },
      { comesLater: 'whatever' } as Partial<Principal>,
      { comesLater: new Set(['one']) } as Partial<Principal>,
      { comesLater: new Set(['other']) } as Partial<Principal>,
      { comesLater: new Map([['one', 1]]) } as Partial<Principal>,
    ];
    const all = [principal, ...others.map((other) => ({ ...principal, ...other }))].map(rightsOf);
    expect(new Set(all).size).toBe(all.length);
  });
});
