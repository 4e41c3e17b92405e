import { isPermission, type Permission } from '#libs/identity';
import type { ApiKeyRow } from './api-key.repository.js';

/** By these one makes users, accounts, roles and ways to sign in, and with them what is not confined as the key is. */
const ofAdministration: ReadonlySet<Permission> = new Set<Permission>([
  'identity_provider.manage',
  'role.manage',
  'scim.manage',
  'service_account.manage',
  'user.manage',
  'workspace.manage',
]);

/** Each of these is looked at together with what the key reaches, or makes only keys that reach no more. */
const withinReach: ReadonlySet<Permission> = new Set<Permission>([
  'api_key.manage',
  'data_source.manage',
  'data_source.read',
  'execution.manage',
  'execution.read',
  'expensive_query.run',
  'grant.manage',
  'guest.mint',
  'query.run',
  'row_policy.manage',
  'row_policy.read',
  'saved_query.manage',
  'saved_query.read',
  'saved_query.run',
]);

type KeyBounds = {
  readonly [Bound in keyof Pick<ApiKeyRow, 'permissions' | 'dataSourceIds' | 'savedQueryIds' | 'networks'>]:
    readonly string[] | null;
};

/** What a key allows of what its maker may do now: nothing that leads out of what confines it. */
export function permissionsOfKey(key: KeyBounds, ofMaker: ReadonlySet<Permission>): ReadonlySet<Permission> {
  const hasReach = key.dataSourceIds !== null || key.savedQueryIds !== null;
  const isConfined = hasReach || key.networks !== null;
  const listed = key.permissions?.filter(isPermission).filter((permission) => ofMaker.has(permission));
  const given = listed ?? [...ofMaker].filter((permission) => !isConfined || !ofAdministration.has(permission));
  return new Set(hasReach ? given.filter((permission) => withinReach.has(permission)) : given);
}
