import { policyRejection } from './policy-rejection.js';
import type { PolicyCaller, TypedValue } from './policy-types.js';

/** A predicate in parts: text as it stands, and the names of the caller's values between. */
export interface PredicateTemplate {
  readonly parts: readonly (string | { readonly name: string })[];
}

const placeholder = /\{\{\s*user\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/;

/**
 * Reads `region = {{ user.region }}`. This is the whole language of predicates: no filter, no block, no parameter of
 * a request.
 * @throws AppError sql.rejected
 */
export function parsePredicateTemplate(text: string): PredicateTemplate {
  // Splitting by a pattern with one group puts what the group caught at the odd places.
  const parts = text.split(placeholder).map((part, index) => (index % 2 === 0 ? part : { name: part }));
  if (parts.some((part) => typeof part === 'string' && /\{\{|\{%|\{#/.test(part))) {
    throw policyRejection('A predicate knows {{ user.<name> }} alone.');
  }
  return { parts };
}

/** What a caller brings for a name; undefined where it is absent, which is not the same as an empty list. */
export function valuesOfCaller(caller: PolicyCaller, name: string): readonly TypedValue[] | undefined {
  switch (name) {
    case 'id':
      return [{ type: 'text', value: caller.id }];
    case 'email':
      return caller.email === null ? undefined : [{ type: 'text', value: caller.email }];
    case 'groups':
      return caller.groupNames.map((value) => ({ type: 'text', value }));
    default: {
      if (!Object.hasOwn(caller.attributes, name)) return undefined;
      const value = caller.attributes[name];
      const values = value === undefined ? [] : isList(value) ? value : [value];
      // A null is no value: an attribute, or a member of a list, that is null is absent.
      return value === undefined || values.some((each) => each.value === null) ? undefined : values;
    }
  }
}

// Array.isArray does not narrow a readonly array.
function isList(value: TypedValue | readonly TypedValue[]): value is readonly TypedValue[] {
  return Array.isArray(value);
}
