import { describe, expect, it } from 'vitest';
import { permissionNames, type Permission } from '#libs/identity';
import { permissionsOfKey } from './permissions-of-key.js';

const all = new Set<Permission>(permissionNames);
const free = { permissions: null, dataSourceIds: null, savedQueryIds: null, networks: null };
const administration = [
  ...['identity_provider.manage', 'role.manage', 'scim.manage', 'service_account.manage', 'user.manage'],
  'workspace.manage',
] as const;

describe('the permissions of a key', () => {
  it('are all of its maker’s where nothing confines it', () => {
    expect(permissionsOfKey(free, all)).toEqual(all);
  });

  it.each([
    ['of networks', { networks: ['10.0.0.0/8'] }],
    ['of data sources', { dataSourceIds: ['src_1'], savedQueryIds: [] }],
    ['of saved queries', { dataSourceIds: [], savedQueryIds: ['qry_1'] }],
  ])('%s have none of administration that it does not list', (_, bounds) => {
    const has = permissionsOfKey({ ...free, ...bounds }, all);
    for (const permission of administration) expect(has.has(permission), permission).toBe(false);
    expect(has.has('query.run')).toBe(true);
  });

  it('of networks have what it lists', () => {
    const has = permissionsOfKey({ ...free, networks: ['10.0.0.0/8'], permissions: ['scim.manage'] }, all);
    expect([...has]).toEqual(['scim.manage']);
  });

  it('with a reach have nothing that is not looked at with it, listed or not', () => {
    const bounds = { ...free, dataSourceIds: ['src_1'], savedQueryIds: [] };
    const outside = ['audit.read', 'audit.manage', 'operations.read', 'user.read', 'webhook.manage', ...administration];
    expect([...permissionsOfKey(bounds, all)].filter((permission) => outside.includes(permission))).toEqual([]);
    const listed = permissionsOfKey({ ...bounds, permissions: ['user.manage', 'saved_query.run'] }, all);
    expect([...listed]).toEqual(['saved_query.run']);
  });

  it('are never more than its maker has', () => {
    expect(permissionsOfKey({ ...free, permissions: ['user.manage'] }, new Set(['query.run']))).toEqual(new Set());
  });
});
