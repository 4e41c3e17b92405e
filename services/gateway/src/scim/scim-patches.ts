import { scimPatch, type ScimPatchOperation, type ScimResource } from 'scim-patch';
import { parse } from 'scim2-parse-filter';
import type { RequestOf, scimRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { invalid, memberIds, objectOf, textOf, type ScimObject } from './scim-resource.js';
import { userOperations, type ScimOperation } from './scim-user-operations.js';

type GroupPatch = Pick<RequestOf<typeof scimRequests.patchScimGroup>, 'displayName' | 'externalId' | 'changes'>;

const operationsMax = 1_000;

/** A user's resource as a PATCH makes it. @throws AppError `input.invalid` */
export function patchedUser(resource: ScimObject, body: unknown): ScimObject {
  const operations = operationsOf(body).flatMap((operation) => userOperations(operation));
  try {
    const copy = structuredClone(resource) as unknown as ScimResource;
    // The library's own type for what userOperations has checked.
    const known = operations.map(written) as ScimPatchOperation[];
    return { ...scimPatch(copy, known, { mutateDocument: false, treatMissingAsAdd: true }) };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : 'It cannot be read.';
    throw new AppError('input.invalid', `The PATCH cannot be done: ${message.slice(0, 200)}`, { cause });
  }
}

/** The mutations of a group, which are done without its members being read: there may be very many. @throws AppError `input.invalid` */
export function patchOfGroup(body: unknown): GroupPatch {
  const patch: { displayName?: string; externalId?: string; changes: GroupPatch['changes'] } = { changes: [] };
  for (const operation of operationsOf(body)) {
    const { op, path, value } = operation;
    if (path !== undefined) applyToGroup(patch, op, path, value);
    // Without a path the value names the attributes.
    else for (const [name, member] of Object.entries(objectOf(value, 'value'))) applyToGroup(patch, op, name, member);
  }
  return { displayName: patch.displayName, externalId: patch.externalId, changes: patch.changes };
}

function applyToGroup(
  patch: { displayName?: string; externalId?: string; changes: GroupPatch['changes'] },
  op: ScimOperation['op'],
  path: string,
  value: unknown,
): void {
  const name = path.replace(/^urn:[^ ]*:(?=[A-Za-z[])/, '');
  if (/^members\b/i.test(name)) patch.changes.push(memberChange(op, name, value));
  else if (/^(displayName|externalId)$/i.test(name) && op !== 'remove') {
    const attribute = name.toLowerCase() === 'displayname' ? 'displayName' : 'externalId';
    const text = textOf({ [attribute]: value }, attribute);
    if (text !== undefined) patch[attribute] = text;
  } else if (!/^(id|schemas|meta)$/i.test(name)) throw invalid(path, `There is no attribute ${path} to change.`);
}

function memberChange(op: ScimOperation['op'], path: string, value: unknown): GroupPatch['changes'][number] {
  const named = idsInPath(path);
  if (named) {
    if (op !== 'remove') throw invalid(path, 'Members are added by value.');
    return { clears: false, addedIds: [], removedIds: named };
  }
  if (op === 'remove') {
    const all = value === undefined || value === null;
    return { clears: all, addedIds: [], removedIds: all ? [] : memberIds(value) };
  }
  return { clears: op === 'replace', addedIds: memberIds(value ?? []), removedIds: [] };
}

/** Of `members[value eq "…" or …]`. */
function idsInPath(path: string): string[] | undefined {
  const [, filter] = /^members\s*\[(.*)\]$/i.exec(path) ?? [];
  if (filter === undefined) {
    if (path.toLowerCase() !== 'members') throw invalid(path, `${path} cannot be changed.`);
    return undefined;
  }
  return idsOf(parsedFilter(filter, path), path);
}

function parsedFilter(text: string, path: string): ReturnType<typeof parse> {
  try {
    return parse(text);
  } catch {
    throw invalid(path, `${path} cannot be read.`);
  }
}

function idsOf(filter: ReturnType<typeof parse>, path: string): string[] {
  if ('filters' in filter && filter.op === 'or') return filter.filters.flatMap((each) => idsOf(each, path));
  if ('compValue' in filter && filter.op === 'eq' && filter.attrPath.toLowerCase() === 'value') {
    return [String(filter.compValue)];
  }
  throw invalid(path, 'Members are chosen by value eq "<id>".');
}

function operationsOf(body: unknown): ScimOperation[] {
  const { Operations: given, operations = given } = objectOf(body, 'the body');
  if (!Array.isArray(operations) || operations.length === 0) throw invalid('Operations', 'There are no Operations.');
  if (operations.length > operationsMax) throw invalid('Operations', `There are at most ${operationsMax} Operations.`);
  return operations.map((each: unknown) => {
    const operation = objectOf(each, 'an operation');
    // Entra ID writes Add, Replace and Remove.
    const op = typeof operation['op'] === 'string' ? operation['op'].toLowerCase() : '';
    if (op !== 'add' && op !== 'remove' && op !== 'replace') throw invalid('op', 'op is add, remove or replace.');
    return { op, path: textOf(operation, 'path'), value: operation['value'] };
  });
}

/** The library tells a value that is absent from one that is undefined. */
function written({ op, path, value }: ScimOperation): object {
  return { op, path, ...(value === undefined ? {} : { value }) };
}
