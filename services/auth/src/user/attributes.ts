import type { JsonObject, JsonValue } from '#libs/kernel';
import type { Issues } from '../input/issues.js';

const bytesMax = 8_192;
const depthMax = 5;
/** `{{ user.<name> }}` of these is the user's own, whatever attributes there are. */
const ownNames: ReadonlySet<string> = new Set(['id', 'email', 'groups']);

/** What row policies read of a user: JSON that PostgreSQL can keep, of a bounded size. */
export function checkAttributes(attributes: JsonObject, issues: Issues): JsonObject {
  const path = ['attributes'];
  if (isTooDeep(attributes, depthMax)) issues.add(path, `attributes may be at most ${depthMax} levels deep.`);
  else if (Buffer.byteLength(JSON.stringify(attributes)) > bytesMax) {
    issues.add(path, `attributes may have at most ${bytesMax} bytes.`);
  } else if (hasUnstorableText(attributes)) issues.add(path, 'attributes hold text that cannot be kept.');
  return attributes;
}

/** An attribute that no policy and no template could read is a mistake of whoever names it. */
export function refuseOwnName(name: string, path: string[], issues: Issues): void {
  if (ownNames.has(name)) issues.add(path, `user.${name} is the user's own: give the attribute another name.`);
}

export function refuseOwnNames(attributes: JsonObject, issues: Issues): void {
  for (const name of Object.keys(attributes)) refuseOwnName(name, ['attributes', name], issues);
}

/** What somebody gives as attributes of a user. */
export function checkGivenAttributes(attributes: JsonObject, issues: Issues): JsonObject {
  refuseOwnNames(attributes, issues);
  return checkAttributes(attributes, issues);
}

function isTooDeep(value: JsonValue, depthLeft: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depthLeft === 0 || Object.values(value).some((member) => isTooDeep(member, depthLeft - 1));
}

// jsonb takes neither a zero character nor half a surrogate pair.
const unstorable = /[\0\p{Surrogate}]/u;

function hasUnstorableText(value: JsonValue): boolean {
  if (typeof value === 'string') return unstorable.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => hasUnstorableText(key) || hasUnstorableText(member));
}
