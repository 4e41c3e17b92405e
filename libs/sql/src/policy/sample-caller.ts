import { newId } from '#libs/kernel';
import type { PolicyCaller, RowPolicy } from './policy-types.js';
import { parsePredicateTemplate } from './predicate-template.js';

/** Stands for a value that nobody knows before somebody asks. */
export const unknownValue = '';

/** Someone who has a value for everything that the predicate names. Of them all, the form of the id alone is known beforehand. */
export function sampleCaller({ predicate }: Pick<RowPolicy, 'predicate'>): PolicyCaller {
  const names = parsePredicateTemplate(predicate).parts.flatMap((part) => (typeof part === 'string' ? [] : part.name));
  return {
    id: newId('user'),
    email: unknownValue,
    groupNames: [unknownValue],
    attributes: Object.fromEntries(names.map((name) => [name, { type: 'text', value: unknownValue }])),
  };
}
