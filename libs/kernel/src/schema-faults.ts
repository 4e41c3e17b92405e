/** A fault as a schema of zod finds it. */
interface SchemaFault {
  readonly code?: string | undefined;
  readonly input?: unknown;
  readonly expected?: string;
  /** Of what there is too little or too much. */
  readonly origin?: string;
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly values?: readonly unknown[];
  readonly message?: string | undefined;
  readonly path?: readonly PropertyKey[] | undefined;
  readonly keys?: readonly string[];
}

const things: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

/** What is counted of a text and of a list; a number is its own measure. */
const counted: Readonly<Record<string, string>> = { string: ' characters', array: ' entries' };

/**
 * Given to `safeParse`: what is wrong in words for whoever sent it, where the schema has none of its own. zod's speak of
 * JavaScript: "expected string, received undefined".
 */
export const inPlainWords = { error: describe } as const;

function describe({ code, input, expected = '', origin = '', minimum, maximum, values = [] }: SchemaFault): string {
  switch (code) {
    case 'invalid_type':
      return input === undefined ? 'This is missing.' : `Give ${things[expected] ?? 'another kind of value'}.`;
    case 'too_small':
      if (minimum === 1 && counted[origin]) return 'This must not be empty.';
      return `Give at least ${minimum}${counted[origin] ?? ''}.`;
    case 'too_big':
      return `Give at most ${maximum}${counted[origin] ?? ''}.`;
    case 'invalid_value':
      return `Give one of ${values.map(String).join(', ')}.`;
    case 'unrecognized_keys':
      return 'There is nothing of this name to set.';
    default:
      return 'This has another form than it can have.';
  }
}

/** The faults that a schema has found, each at its place below `root`: what is not known, at its own name. */
export function placesOf(
  { issues }: { readonly issues: readonly SchemaFault[] },
  root: readonly string[] = [],
): { path: string[]; message: string }[] {
  return issues.flatMap(({ path = [], message = '', keys = [undefined] }) =>
    keys.map((key) => ({ path: [...root, ...path.map(String), ...(key === undefined ? [] : [key])], message })),
  );
}
