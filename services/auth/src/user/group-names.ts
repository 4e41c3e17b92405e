import type { Issues } from '../input/issues.js';
import { checkName } from '../input/text.js';

const nameMax = 64;

/** Names of groups as they are kept, each once. */
export function checkGroupNames(names: readonly string[], path: readonly string[], issues: Issues): readonly string[] {
  return [...new Set(names.map((name, index) => checkName(name, [...path, String(index)], issues, nameMax)))];
}
