import type { ErrorObject } from 'ajv';
import type { Issue } from '#libs/kernel';

type Describe = (error: ErrorObject, name: string) => string;

const plural = (count: unknown, noun: string): string => `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
const limitOf = (error: ErrorObject): unknown => (error.params as { limit?: unknown }).limit;

/** What each rule of a schema says to a person. A value is never repeated: it may be a secret. */
const messages: Readonly<Record<string, Describe>> = {
  required: (_error, name) => `${name} is missing.`,
  additionalProperties: (_error, name) => `${name} is not an option of this type of data source.`,
  type: (error, name) => `${name} must be ${article(String((error.params as { type: unknown }).type))}.`,
  minimum: (error, name) => `${name} must be at least ${String(limitOf(error))}.`,
  maximum: (error, name) => `${name} must be at most ${String(limitOf(error))}.`,
  minLength: (error, name) => `${name} must have at least ${plural(limitOf(error), 'character')}.`,
  maxLength: (error, name) => `${name} must have at most ${plural(limitOf(error), 'character')}.`,
  minItems: (error, name) => `${name} must have at least ${plural(limitOf(error), 'item')}.`,
  maxItems: (error, name) => `${name} must have at most ${plural(limitOf(error), 'item')}.`,
  minProperties: (error, name) => `${name} must have at least ${plural(limitOf(error), 'member')}.`,
  maxProperties: (error, name) => `${name} must have at most ${plural(limitOf(error), 'member')}.`,
  uniqueItems: (_error, name) => `${name} must not name anything twice.`,
  enum: (error, name) =>
    `${name} must be one of ${(error.params as { allowedValues: unknown[] }).allowedValues.join(', ')}.`,
  propertyNames: (error, name) => `${name} is not of the right form. ${namesOf(error)}`.trimEnd(),
  oneOf: (error, name) => `${name} must have exactly one of ${alternativesOf(error).join(', ')}.`,
  pattern: (error, name) => `${name} is not of the right form. ${descriptionOf(error)}`.trimEnd(),
};

/** What the schema says of the names of an object's members. */
function namesOf({ schema }: ErrorObject): string {
  const { description } = schema as { description?: string };
  return description ?? '';
}

/** One fault that a schema found, as a caller is told it, at its place under `options`. */
export function issueOf(error: ErrorObject): Issue {
  const path = ['options', ...placeOf(error)];
  const name = path.at(-1) ?? 'options';
  const describe = messages[error.keyword];
  return { code: 'input.invalid', path, message: describe ? describe(error, name) : `${name} is not valid.` };
}

/** False for what only repeats another fault: the branches of a choice, and the rule for names behind its own fault. */
export function isOwnFault(error: ErrorObject): boolean {
  return !error.schemaPath.includes('/oneOf/') && !error.schemaPath.includes('/propertyNames/');
}

function placeOf(error: ErrorObject): string[] {
  const place = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const params = error.params as { missingProperty?: string; additionalProperty?: string; propertyName?: string };
  const member = params.missingProperty ?? params.additionalProperty ?? params.propertyName;
  return member === undefined ? place : [...place, member];
}

function alternativesOf(error: ErrorObject): string[] {
  const branches = error.schema as { required?: string[] }[];
  return branches.flatMap((branch) => branch.required ?? []);
}

function descriptionOf(error: ErrorObject): string {
  const description: unknown = error.parentSchema?.['description'];
  return typeof description === 'string' ? description : '';
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
