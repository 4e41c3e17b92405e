import type { Permission } from '#libs/identity';
import type { authRequests, RequestOf } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { normalizeEmail } from '../input/email.js';
import { Issues } from '../input/issues.js';
import { checkNewPassword } from '../input/password.js';
import { checkName } from '../input/text.js';
import type { KnownRoles } from '../role/role.repository.js';
import { checkGivenAttributes } from './attributes.js';
import { checkGroupNames } from './group-names.js';
import type { UserChange } from './user.types.js';

type Granter = ReadonlySet<Permission>;

const groupsMax = 50;
/** All names of one user's groups travel in each of its tokens. */
const groupBytesMax = 3_000;

export interface ParsedNewUser {
  readonly email: string;
  readonly name: string;
  readonly password: string | undefined;
  readonly roleNames: readonly string[];
  readonly groupNames: readonly string[];
  readonly attributes: JsonObject;
}

/** @throws AppError with every fault at its place */
export function parseNewUser(
  input: RequestOf<typeof authRequests.createUser>,
  known: KnownRoles,
  granter: Granter,
): ParsedNewUser {
  const issues = new Issues();
  const email = normalizeEmail(input.email);
  if (email === undefined) issues.add(['email'], 'This is no email address.');
  addRoleFaults(input.roleNames, { known, granter }, issues);
  if (input.password !== undefined) checkNewPassword(input.password, ['password'], issues);
  const parsed = {
    email: email ?? '',
    name: checkName(input.name, ['name'], issues),
    password: input.password,
    roleNames: [...new Set(input.roleNames)],
    groupNames: checkGroups(input.groupNames, issues),
    attributes: checkGivenAttributes(input.attributes ?? {}, issues),
  };
  issues.throwIfAny();
  return parsed;
}

/** @throws AppError with every fault at its place */
export function parseUserChange(input: RequestOf<typeof authRequests.updateUser>): UserChange {
  const issues = new Issues();
  for (const field of input.cleared) {
    if (field !== 'attributes') issues.add([field], `${field} cannot be null.`);
  }
  const attributes = input.cleared.includes('attributes') ? {} : input.attributes;
  const change: UserChange = {
    ...(input.name === undefined ? {} : { name: checkName(input.name, ['name'], issues) }),
    ...(input.roleNames === undefined ? {} : { roleNames: [...new Set(input.roleNames.values)] }),
    ...(input.groupNames === undefined ? {} : { groupNames: checkGroups(input.groupNames.values, issues) }),
    ...(attributes === undefined ? {} : { attributes: checkGivenAttributes(attributes, issues) }),
    ...(input.disabled === undefined ? {} : { disabled: input.disabled }),
  };
  issues.throwIfAny();
  return change;
}

/**
 * Nobody gives what he does not have; nor takes over one who has more.
 * @param had roles that stay are nobody's gift
 * @throws AppError with every fault at its place
 */
export function checkRoles(
  names: readonly string[],
  known: KnownRoles,
  granter: Granter,
  had: readonly string[] = [],
): void {
  const issues = new Issues();
  addRoleFaults(names, { known, granter, had }, issues);
  issues.throwIfAny();
}

export interface RoleGift {
  /** Where the names stand in the input. */
  readonly path?: readonly string[];
  readonly known: KnownRoles;
  readonly granter: Granter;
  readonly had?: readonly string[];
}

/** Roles that are not there, and those that the granter may not give. */
export function addRoleFaults(names: readonly string[], gift: RoleGift, issues: Issues): void {
  const { known, granter, had = [], path: place = ['roleNames'] } = gift;
  for (const [index, name] of names.entries()) {
    const path = [...place, String(index)];
    const permissions = known.get(name);
    const excess = had.includes(name) ? undefined : permissions?.find((permission) => !granter.has(permission));
    if (!permissions) issues.add(path, `There is no such role. Roles are ${[...known.keys()].join(', ')}.`);
    else if (excess) issues.forbid(path, `The role ${name} has the permission ${excess}, which you do not have.`);
  }
}

/** The groups of one user. */
export function checkGroups(names: readonly string[], issues: Issues): readonly string[] {
  if (names.length > groupsMax) {
    issues.add(['groupNames'], `A user is in at most ${groupsMax} groups.`);
    return [];
  }
  const unique = checkGroupNames(names, ['groupNames'], issues);
  if (Buffer.byteLength(unique.join('')) > groupBytesMax) {
    issues.add(['groupNames'], 'The names of these groups are too long together.');
  }
  return unique;
}
