import type { Issues } from './issues.js';

const nameMax = 200;
const descriptionMax = 2_000;
const searchMax = 200;
const idsMax = 100;

// Control characters hide in a name and break lines of logs; a text may have its line feeds and tabs.
const controls = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const controlsOfText = /(?![\n\r\t])\p{Cc}/u;

/** A name as it is kept: without space around it, in one form of Unicode. */
export function checkName(text: string, issues: Issues): string {
  const name = text.trim().normalize('NFC');
  if (name === '') issues.add(['name'], 'name must not be empty.');
  else if (name.length > nameMax) issues.add(['name'], `name must have at most ${nameMax} characters.`);
  else if (controls.test(name)) issues.add(['name'], 'name must be one line of plain text.');
  return name;
}

/** A description as it is kept; an empty one is none. */
export function checkDescription(text: string | undefined, issues: Issues): string | null {
  const description = text?.trim().normalize('NFC') ?? '';
  if (description.length > descriptionMax) {
    issues.add(['description'], `description must have at most ${descriptionMax} characters.`);
  } else if (controlsOfText.test(description)) {
    issues.add(['description'], 'description must be plain text.');
  }
  return description === '' ? null : description;
}

/** What a list is searched for, as the search columns have it; undefined: for nothing. */
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

export function checkIds(ids: readonly string[], issues: Issues): void {
  if (ids.length > idsMax) issues.add(['ids'], `at most ${idsMax} ids at once.`, 'input.too_large');
}

/** Fields that an update wants cleared and that cannot be: a thing without them would be none. */
export function checkCleared(cleared: readonly string[], clearable: readonly string[], issues: Issues): void {
  for (const field of cleared) {
    if (!clearable.includes(field)) issues.add([field], `${field} cannot be null.`);
  }
}

/** A text as names are compared and lists are searched and ordered: letters of either case are the same. */
export function keyOf(text: string): string {
  return text.normalize('NFC').toLowerCase();
}
