import { isRoleName, roles, type Permission } from '#libs/identity';
import type { authRequests, RequestOf } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { normalizeEmail } from '../input/email.js';
import { Issues } from '../input/issues.js';
import { checkNewPassword } from '../input/password.js';
import { checkName } from '../input/text.js';
import { checkAttributes } from './attributes.js';
import { checkGroupNames } from './group-names.js';
import type { UserChange } from './user.types.js';

type Granter = ReadonlySet<Permission>;

const rolesPath = ['roleNames'];
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
export function parseNewUser(input: RequestOf<typeof authRequests.createUser>, granter: Granter): ParsedNewUser {
  const issues = new Issues();
  const email = normalizeEmail(input.email);
  if (email === undefined) issues.add(['email'], 'This is no email address.');
  if (input.password !== undefined) checkNewPassword(input.password, ['password'], issues);
  const parsed = {
    email: email ?? '',
    name: checkName(input.name, ['name'], issues),
    password: input.password,
    roleNames: checkRoles(input.roleNames, granter, issues),
    groupNames: checkGroups(input.groupNames, issues),
    attributes: checkAttributes(input.attributes ?? {}, issues),
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
    ...(input.roleNames === undefined ? {} : { roleNames: checkKnownRoles(input.roleNames.values, issues) }),
    ...(input.groupNames === undefined ? {} : { groupNames: checkGroups(input.groupNames.values, issues) }),
    ...(attributes === undefined ? {} : { attributes: checkAttributes(attributes, issues) }),
    ...(input.disabled === undefined ? {} : { disabled: input.disabled }),
  };
  issues.throwIfAny();
  return change;
}

/** Nobody gives what he does not have; nor takes over one who has more. */
export function refuseExcess(
  roleNames: readonly string[],
  granter: Granter,
  issues: Issues,
  path: readonly string[] = rolesPath,
): void {
  for (const [index, role] of roleNames.entries()) {
    const excess = isRoleName(role) && roles[role].find((permission) => !granter.has(permission));
    if (excess) {
      issues.forbid([...path, String(index)], `The role ${role} has the permission ${excess}, which you do not have.`);
    }
  }
}

/** Roles that there are, and that the granter may give. */
export function checkRoles(
  names: readonly string[],
  granter: Granter,
  issues: Issues,
  path: readonly string[] = rolesPath,
): readonly string[] {
  const known = checkKnownRoles(names, issues, path);
  refuseExcess(names, granter, issues, path);
  return known;
}

function checkKnownRoles(
  names: readonly string[],
  issues: Issues,
  path: readonly string[] = rolesPath,
): readonly string[] {
  const known = Object.keys(roles);
  for (const [index, name] of names.entries()) {
    if (!isRoleName(name))
      issues.add([...path, String(index)], `There is no such role. Roles are ${known.join(', ')}.`);
  }
  return [...new Set(names)];
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
