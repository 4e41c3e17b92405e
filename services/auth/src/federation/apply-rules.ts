import { AppError, type JsonObject, type JsonValue } from '#libs/kernel';
import type { IdentityRules } from '../identity-provider/identity-rules.js';
import { Issues } from '../input/issues.js';
import { checkAttributes } from '../user/attributes.js';
import { checkGroups } from '../user/user.input.js';

type Claims = Readonly<Record<string, JsonValue>>;

/** What rules decide of a user; what is absent stays as it is. */
export interface RuledRights {
  readonly roleNames?: readonly string[];
  readonly groupNames?: readonly string[];
  readonly attributes?: JsonObject;
}

/**
 * What a provider's claims make of a user.
 * @param attributes those that the user has
 * @throws AppError `sso.answer_refused` where the claims make more of it than a user can have: rights are never cut
 */
export function applyRules(rules: IdentityRules, claims: Claims, attributes: JsonObject): RuledRights {
  const issues = new Issues();
  const ruled = {
    ...rolesOf(rules, claims),
    ...groupsOf(rules, claims, issues),
    ...attributesOf(rules, claims, attributes, issues),
  };
  try {
    issues.throwIfAny();
  } catch (cause) {
    throw new AppError('sso.answer_refused', 'The provider’s answer cannot be used.', {
      internalMessage: `the claims make no valid user: ${cause instanceof Error ? cause.message : ''}`,
      cause,
    });
  }
  return ruled;
}

/** Whether the claims lack one that these rules read. */
export function lacksClaims({ roles, groups, attributes }: IdentityRules, claims: Claims): boolean {
  const read = [...(roles?.map ?? []), ...(groups ? [groups] : []), ...(attributes ?? [])];
  return read.some(({ claim }) => claimOf(claims, claim) === undefined);
}

/** The texts of a claim: by its name, or by the path that its name is. */
export function valuesOf(claims: Claims, name: string): string[] {
  const value = claimOf(claims, name);
  const items = Array.isArray(value) ? value : [value];
  return items.flatMap((item) =>
    typeof item === 'string' ? [item] : typeof item === 'number' || typeof item === 'boolean' ? [`${item}`] : [],
  );
}

function claimOf(claims: Claims, name: string): JsonValue | undefined {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: JsonValue | undefined = { ...claims };
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = value[part];
  }
  return value;
}

function rolesOf({ roles }: IdentityRules, claims: Claims): Pick<RuledRights, 'roleNames'> {
  if (!roles?.map || roles.map.length === 0) return {};
  const mapped = roles.map.flatMap((rule) => (valuesOf(claims, rule.claim).includes(rule.value) ? rule.roles : []));
  return { roleNames: [...new Set(mapped.length > 0 ? mapped : (roles.default ?? []))] };
}

function groupsOf({ groups }: IdentityRules, claims: Claims, issues: Issues): Pick<RuledRights, 'groupNames'> {
  if (!groups) return {};
  const byValue = new Map((groups.map ?? []).map((rule) => [rule.value, rule.groups]));
  const names = valuesOf(claims, groups.claim).flatMap(
    (value) => byValue.get(value) ?? (groups.passThrough === true ? [value] : []),
  );
  return { groupNames: checkGroups(names, issues) };
}

/** An attribute whose claim is gone is gone too: a row policy that asks for it then gives no rows. */
function attributesOf(
  { attributes: rules }: IdentityRules,
  claims: Claims,
  attributes: JsonObject,
  issues: Issues,
): Pick<RuledRights, 'attributes'> {
  if (!rules || rules.length === 0) return {};
  const ruled = new Set(rules.map(({ attribute }) => attribute));
  const kept = Object.entries(attributes).filter(([name]) => !ruled.has(name));
  const given = rules.flatMap(({ claim, attribute }): [string, JsonValue][] => {
    const value = claimOf(claims, claim);
    return value === undefined ? [] : [[attribute, value]];
  });
  return { attributes: checkAttributes(Object.fromEntries([...kept, ...given]), issues) };
}
