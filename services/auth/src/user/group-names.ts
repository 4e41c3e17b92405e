import type { Issues } from '../input/issues.js';
import { checkName } from '../input/text.js';

const nameMax = 64;

/** The name of a group as it is kept. */
export function checkGroupName(name: string, path: readonly string[], issues: Issues): string {
  return checkName(name, path, issues, nameMax);
}

/** Names of groups as they are kept, each once. */
export function checkGroupNames(names: readonly string[], path: readonly string[], issues: Issues): readonly string[] {
  return [...new Set(names.map((name, index) => checkGroupName(name, [...path, String(index)], issues)))];
}
