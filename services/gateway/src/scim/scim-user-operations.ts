import { invalid, objectOf, scimSchemas } from './scim-resource.js';

export interface ScimOperation {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string | undefined;
  readonly value: unknown;
}

/** What is kept of a user, each attribute with its members. */
const keptAttributes: readonly (readonly [name: string, members: readonly string[]])[] = [
  ['active', []],
  ['displayName', []],
  ['emails', ['display', 'primary', 'type', 'value']],
  ['externalId', []],
  ['name', ['familyName', 'formatted', 'givenName']],
  ['userName', []],
];
const corePrefix = `${scimSchemas.user}:`.toLowerCase();
const condition = String.raw`(?:display|primary|type|value) (?:eq|ne|co|sw|ew) (?:"[^"\\[\]:]*"|true|false)`;
const targetForm = new RegExp(
  String.raw`^([a-z]+)(\[${condition}(?: (?:and|or) ${condition})*\])?(?:\.([a-z]+))?$`,
  'i',
);
const namesOfPrototypes = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Operations on what is kept of a user, and on nothing else, in the names as they are written here. The library writes to
 * whatever a path or a key of a value leads to, also to what all objects share: so it is given only what is known.
 * @throws AppError `input.invalid`
 */
export function userOperations({ op, path, value }: ScimOperation): ScimOperation[] {
  if (path !== undefined) return operationAt(op, path, value);
  if (op === 'remove') throw invalid('path', 'What is removed needs a path.');
  // Without a path the value names the attributes.
  return Object.entries(objectOf(value, 'value')).flatMap(([name, member]) => operationAt(op, name, member));
}

function operationAt(op: ScimOperation['op'], path: string, value: unknown): ScimOperation[] {
  refuseNamesOfPrototypes(path);
  const short = path.toLowerCase().startsWith(corePrefix) ? path.slice(corePrefix.length) : path;
  const [first] = /^[a-z]+/i.exec(short) ?? [];
  if (first === undefined) throw invalid(path, 'This path cannot be read.');
  const kept = keptAttributes.find(([name]) => isSame(name, first));
  if (!kept) return [];
  const [attribute, members] = kept;
  const [, , filter = '', given] = targetForm.exec(short) ?? throwUnreadable(path);
  if (filter !== '' && attribute !== 'emails') throw invalid(path, 'Only emails are chosen by a filter.');
  const member = given === undefined ? undefined : members.find((name) => isSame(name, given));
  if (given !== undefined && member === undefined) return [];
  const target = `${attribute}${filter}${member === undefined ? '' : `.${member}`}`;
  // What is null is unassigned (RFC 7643, 2.5).
  if (value === null) return [{ op: 'remove', path: target, value: undefined }];
  return [{ op, path: target, value: keptValue(value, member === undefined ? members : [], path) }];
}

/** A text, a number or a truth, or objects of the members that are kept. */
function keptValue(value: unknown, members: readonly string[], path: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (members.length === 0) throw invalid(path, 'This is no value for it.');
  if (Array.isArray(value)) return value.map((each: unknown) => keptMembers(each, members, path));
  return keptMembers(value, members, path);
}

function keptMembers(value: unknown, members: readonly string[], path: string): object {
  const kept: [string, unknown][] = [];
  for (const [key, each] of Object.entries(objectOf(value, path))) {
    refuseNamesOfPrototypes(key);
    const name = members.find((member) => isSame(member, key));
    if (name !== undefined) kept.push([name, keptValue(each, [], path)]);
  }
  return Object.fromEntries(kept);
}

/** Not in the texts of a filter, as an address may hold such a word. */
function refuseNamesOfPrototypes(path: string): void {
  const words = path.replaceAll(/"[^"]*"/g, '').split(/[^A-Za-z_]+/);
  if (words.some((word) => namesOfPrototypes.has(word))) throw invalid('path', 'There is no such attribute.');
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function throwUnreadable(path: string): never {
  throw invalid(path, 'This path cannot be read.');
}
