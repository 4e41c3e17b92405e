import type { z } from 'zod';
import type { identityProviderRequests, RequestOf } from '#libs/contracts';
import { inPlainWords, placesOf, type JsonObject } from '#libs/kernel';
import type { Issues } from '../input/issues.js';
import { normalizeEmail } from '../input/email.js';
import { checkName } from '../input/text.js';
import { refuseOwnName } from '../user/attributes.js';
import { checkGroupNames } from '../user/group-names.js';
import { addRoleFaults, type RoleGift } from '../user/user.input.js';
import { identityRules, type IdentityRules } from './identity-rules.js';
import type { ProviderKind } from './provider-kind.js';

const domainsMax = 100;

/** Options and secrets apart, both as they were given. */
export interface GivenOptions {
  readonly options: JsonObject;
  readonly secrets: JsonObject;
}

export function splitOptions({ secretNames }: ProviderKind, given: JsonObject): GivenOptions {
  const isSecret = ([name]: [string, unknown]): boolean => secretNames.includes(name);
  const members = Object.entries(given);
  return {
    options: Object.fromEntries(members.filter((member) => !isSecret(member))),
    secrets: Object.fromEntries(members.filter(isSecret)),
  };
}

/** Every fault of a provider's options, secrets among them, at its place. A value is never repeated: it may be a secret. */
export function checkOptions(kind: ProviderKind, complete: JsonObject, issues: Issues): void {
  addFaults(kind.options.safeParse(complete, inPlainWords), ['options'], issues);
}

/** Rules give groups and roles, so that they can give no role that their maker could not. */
export function checkRules(
  given: JsonObject,
  gift: Pick<RoleGift, 'known' | 'granter'>,
  issues: Issues,
): IdentityRules {
  const parsed = identityRules.safeParse(given, inPlainWords);
  addFaults(parsed, ['rules'], issues);
  if (!parsed.success) return {};
  const { groups, roles, attributes } = parsed.data;
  for (const [index, entry] of (groups?.map ?? []).entries()) {
    checkGroupNames(entry.groups, ['rules', 'groups', 'map', String(index), 'groups'], issues);
  }
  for (const [index, { attribute }] of (attributes ?? []).entries()) {
    refuseOwnName(attribute, ['rules', 'attributes', String(index), 'attribute'], issues);
  }
  addRoleFaults(roles?.default ?? [], { ...gift, path: ['rules', 'roles', 'default'] }, issues);
  for (const [index, entry] of (roles?.map ?? []).entries()) {
    addRoleFaults(entry.roles, { ...gift, path: ['rules', 'roles', 'map', String(index), 'roles'] }, issues);
  }
  return parsed.data;
}

/** Domains as addresses are compared by. */
export function checkDomains(domains: readonly string[], issues: Issues): string[] {
  if (domains.length > domainsMax) issues.add(['emailDomains'], `At most ${domainsMax} domains.`);
  return [
    ...new Set(
      domains.slice(0, domainsMax).map((domain, index) => {
        const email = normalizeEmail(`x@${domain}`);
        if (email === undefined) issues.add(['emailDomains', String(index)], 'This is no domain, such as example.com.');
        return email?.slice(2) ?? '';
      }),
    ),
  ];
}

export function checkProviderName(name: string, issues: Issues): string {
  return checkName(name, ['name'], issues, 100);
}

type UpdateInput = RequestOf<typeof identityProviderRequests.updateIdentityProvider>;

export function checkCleared({ cleared }: UpdateInput, issues: Issues): void {
  for (const field of cleared) {
    if (field !== 'emailDomains' && field !== 'rules') issues.add([field], `${field} cannot be null.`);
  }
}

function addFaults(result: z.ZodSafeParseResult<unknown>, root: readonly string[], issues: Issues): void {
  if (!result.error) return;
  for (const { path, message } of placesOf(result.error, root)) issues.add(path, message);
}
