import { AppError, isId, type IdKind } from '#libs/kernel';
import type { Issues } from './issues.js';

const nameMax = 200;
const searchMax = 200;
const idsMax = 100;

// Control characters hide in a name and break the lines of a log.
const controls = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** A name as it is kept: without space around it, in one form of Unicode. */
export function checkName(text: string, path: readonly string[], issues: Issues, max = nameMax): string {
  const name = text.trim().normalize('NFC');
  const field = path[0] ?? 'name';
  if (name === '') issues.add(path, `${field} must not be empty.`);
  else if (name.length > max) issues.add(path, `${field} must have at most ${max} characters.`);
  else if (controls.test(name)) issues.add(path, `${field} must be one line of plain text.`);
  return name;
}

/** What a list is searched for in columns that hold keys; undefined: for nothing. */
export function checkSearch(text: string | undefined, issues: Issues): string | undefined {
  const search = checkSearchText(text, issues);
  return search === undefined ? undefined : keyOf(search);
}

/**
 * The same for columns that hold texts as they were given, which are compared by `ilike`. Not every database knows the other
 * case of each letter: the text itself is found in all of them.
 */
export function checkSearchText(text: string | undefined, issues: Issues): string | undefined {
  const search = text?.trim().normalize('NFC') ?? '';
  if (search.length > searchMax) issues.add(['search'], `search must have at most ${searchMax} characters.`);
  else if (controls.test(search)) issues.add(['search'], 'search must be one line of plain text.');
  return search === '' ? undefined : search;
}

/** Those that are ids of this kind: what is none names nothing, and may hold what PostgreSQL cannot take. */
export function checkIds(kind: IdKind, ids: readonly string[]): string[] {
  if (ids.length > idsMax) throw new AppError('input.too_large', `At most ${idsMax} ids at once.`, { path: ['ids'] });
  return ids.filter((id) => isId(kind, id));
}

/** A text as names are compared, searched and ordered: letters of either case are the same. */
export function keyOf(text: string): string {
  return text.normalize('NFC').toLowerCase();
}
