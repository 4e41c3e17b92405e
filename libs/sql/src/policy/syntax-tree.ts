/** A node of a parse tree, PostgreSQL's or DuckDB's: JSON of the parser's making. */
export interface TreeNode {
  readonly [name: string]: unknown;
}

/** Where a node stood in its text: the only thing in which two trees of one meaning may differ. */
const places: ReadonlySet<string> = new Set([
  ...['location', 'rexpr_list_start', 'rexpr_list_end', 'list_start', 'list_end'],
  ...['query_location', 'stmt_location', 'stmt_len'],
]);

export function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is no node has no members. */
export function nodeOf(value: unknown): TreeNode {
  return isNode(value) ? value : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * Whether two trees are one but for the places of their nodes, once each key of `replaced` is taken for its value.
 * Without recursion: the depth of a tree is the caller's choice.
 */
export function isSameTree(left: unknown, right: unknown, replaced?: ReadonlyMap<unknown, unknown>): boolean {
  // Two stacks that grow and shrink as one: a pair of its own for each node would be half the cost.
  const [originals, actuals] = [[left], [right]];
  while (originals.length > 0) {
    const [original, actual] = [originals.pop(), actuals.pop()];
    const expected = replaced?.get(original) ?? original;
    if (expected === actual) continue;
    if (Array.isArray(expected) && Array.isArray(actual)) {
      if (expected.length !== actual.length) return false;
      for (let index = 0; index < expected.length; index += 1) {
        originals.push(expected[index]);
        actuals.push(actual[index]);
      }
    } else if (isNode(expected) && isNode(actual)) {
      if (!pushMembers(expected, actual, originals, actuals)) return false;
    } else {
      return false;
    }
  }
  return true;
}

function pushMembers(expected: TreeNode, actual: TreeNode, originals: unknown[], actuals: unknown[]): boolean {
  let more = 0;
  for (const name of Object.keys(expected)) {
    const one = expected[name];
    if (one === undefined || places.has(name)) continue;
    if (!Object.hasOwn(actual, name)) return false;
    more += 1;
    // Most members are names and numbers, which are compared at once.
    if (typeof one !== 'object') {
      if (one !== actual[name]) return false;
      continue;
    }
    originals.push(one);
    actuals.push(actual[name]);
  }
  for (const name of Object.keys(actual)) if (!places.has(name)) more -= 1;
  return more === 0;
}

/** Every node of a tree, without recursion. */
export function* nodesOf(root: unknown): Generator<TreeNode> {
  const pending: unknown[] = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (Array.isArray(value)) {
      for (const item of value) pending.push(item);
    } else if (isNode(value)) {
      yield value;
      for (const member of Object.values(value)) pending.push(member);
    }
  }
}
