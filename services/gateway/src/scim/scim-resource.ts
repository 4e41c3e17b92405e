import type { ScimGroup, ScimUser } from '#libs/contracts';
import { AppError } from '#libs/kernel';

export const scimSchemas = {
  user: 'urn:ietf:params:scim:schemas:core:2.0:User',
  group: 'urn:ietf:params:scim:schemas:core:2.0:Group',
  list: 'urn:ietf:params:scim:api:messages:2.0:ListResponse',
  patch: 'urn:ietf:params:scim:api:messages:2.0:PatchOp',
  error: 'urn:ietf:params:scim:api:messages:2.0:Error',
} as const;

export type ScimObject = Record<string, unknown>;
type UserFields = NonNullable<ScimUser['fields']>;

export function etagOf(version: number): string {
  return `W/"${version}"`;
}

/** A user as SCIM shows it. @param base the address of the SCIM API */
export function userResource(
  { id, fields, groups, version, createdAt, updatedAt }: ScimUser,
  base: string,
): ScimObject {
  if (!fields) throw new Error('a user came without its fields');
  const { userName, email, displayName, givenName, familyName, externalId, active } = fields;
  return {
    schemas: [scimSchemas.user],
    id,
    externalId,
    userName,
    name: { formatted: displayName, givenName, familyName },
    displayName,
    emails: [{ value: email, type: 'work', primary: true }],
    active,
    groups: groups.map((group) => ({ value: group.id, display: group.name, $ref: `${base}/Groups/${group.id}` })),
    meta: metaOf('User', `${base}/Users/${id}`, { version, createdAt, updatedAt }),
  };
}

/** A group without its members. */
export function groupResource(group: ScimGroup, base: string): ScimObject {
  const { id, displayName, externalId } = group;
  return {
    schemas: [scimSchemas.group],
    id,
    externalId,
    displayName,
    meta: metaOf('Group', `${base}/Groups/${id}`, group),
  };
}

export function memberOf({ id, name }: { id: string; name: string }, base: string): ScimObject {
  return { value: id, display: name, type: 'User', $ref: `${base}/Users/${id}` };
}

function metaOf(
  resourceType: string,
  location: string,
  { version, createdAt, updatedAt }: Pick<ScimUser, 'version' | 'createdAt' | 'updatedAt'>,
): ScimObject {
  return {
    resourceType,
    created: createdAt?.toISOString(),
    lastModified: updatedAt?.toISOString(),
    location,
    version: etagOf(version),
  };
}

/** What a body says of a user; what we do not keep, such as a password, is passed over. @throws AppError `input.invalid` */
export function parseUser(body: unknown): UserFields {
  const user = objectOf(body, 'the body');
  const name = user['name'] === undefined || user['name'] === null ? {} : objectOf(user['name'], 'name');
  const [givenName, familyName] = [textOf(name, 'givenName'), textOf(name, 'familyName')];
  const userName = textOf(user, 'userName');
  if (userName === undefined) throw invalid('userName', 'userName is needed.');
  const full = [givenName, familyName].filter((part) => part !== undefined).join(' ');
  return {
    userName,
    email: primaryEmail(user['emails']) ?? userName,
    displayName: textOf(user, 'displayName') ?? textOf(name, 'formatted') ?? (full === '' ? userName : full),
    givenName,
    familyName,
    externalId: textOf(user, 'externalId'),
    active: activeOf(user['active']),
  };
}

export function parseGroup(body: unknown): {
  displayName: string;
  externalId: string | undefined;
  memberIds: string[];
} {
  const group = objectOf(body, 'the body');
  const displayName = textOf(group, 'displayName');
  if (displayName === undefined) throw invalid('displayName', 'displayName is needed.');
  return { displayName, externalId: textOf(group, 'externalId'), memberIds: memberIds(group['members'] ?? []) };
}

/** The ids in a list of members, or of one. @throws AppError `input.invalid` for what is no user */
export function memberIds(value: unknown): string[] {
  const members: unknown[] = Array.isArray(value) ? value : [value];
  return members.map((member) => {
    const { value: id, type } = objectOf(member, 'a member');
    if (typeof id !== 'string') throw invalid('members', 'A member has the id of a user as its value.');
    if (type !== undefined && type !== null && type !== 'User') throw invalid('members', 'Members are users.');
    return id;
  });
}

export function objectOf(value: unknown, what: string): ScimObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw invalid('', `It must be an object: ${what}.`);
}

export function textOf(from: ScimObject, name: string): string | undefined {
  const value = from[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(name, `${name} must be text.`);
  return value;
}

/** Entra ID sends texts for true and false. */
function activeOf(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (text !== 'true' && text !== 'false') throw invalid('active', 'active must be true or false.');
  return text === 'true';
}

function primaryEmail(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw invalid('emails', 'emails must be a list.');
  const emails = value.map((each) => objectOf(each, 'an email'));
  const chosen =
    emails.find(({ primary }) => primary === true) ?? emails.find(({ type }) => type === 'work') ?? emails[0];
  return chosen && textOf(chosen, 'value');
}

export function invalid(path: string, message: string): AppError {
  return new AppError('input.invalid', message, { path: path === '' ? [] : [path] });
}
