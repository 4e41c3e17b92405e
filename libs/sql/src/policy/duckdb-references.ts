import type { Reference } from './policy-dialect.js';
import { cteScope, type CteScope } from './cte-scope.js';
import { isNode, listOf, type TreeNode, textOf } from './syntax-tree.js';

interface Visit {
  readonly value: unknown;
  readonly scope: CteScope;
}

/**
 * Every relation that a statement names and that is no common table expression where it stands. Names are compared
 * without regard to case. Where DuckDB might take a name for a table, it is one here: then a fence stands where none
 * was needed, never the other way round.
 */
export function duckdbReferences(statement: TreeNode): readonly Reference[] {
  const found: Reference[] = [];
  const pending: Visit[] = [{ value: statement, scope: cteScope }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { value, scope } = visit;
    if (Array.isArray(value)) {
      for (const item of value) pending.push({ value: item, scope });
    } else if (isNode(value)) {
      if (value['type'] === 'BASE_TABLE') {
        const reference = referenceOf(value);
        const isCommon = reference.schema === undefined && scope.has(reference.name.toLowerCase());
        if (!isCommon) found.push(reference);
      }
      pushMembers(value, scope, pending);
    }
  }
  return found;
}

function pushMembers(node: TreeNode, outer: CteScope, pending: Visit[]): void {
  // A constant's value may look like anything.
  if (node['class'] === 'CONSTANT') return;
  const { cte_map: commonTables, ...members } = node;
  const scope = isNode(commonTables) ? pushCommonTables(commonTables, outer, pending) : outer;
  if (node['type'] === 'RECURSIVE_CTE_NODE') {
    const { right, ...others } = members;
    const own = scope.with(String(node['cte_name']).toLowerCase());
    pending.push({ value: right, scope: own }, { value: Object.values(others), scope });
  } else {
    for (const value of Object.values(members)) pending.push({ value, scope });
  }
}

/** Each sees those before it. */
function pushCommonTables({ map }: TreeNode, outer: CteScope, pending: Visit[]): CteScope {
  let scope = outer;
  for (const entry of listOf(map)) {
    if (!isNode(entry)) continue;
    pending.push({ value: entry['value'], scope });
    scope = scope.with(String(entry['key']).toLowerCase());
  }
  return scope;
}

function referenceOf(node: TreeNode): Reference {
  const location = node['query_location'];
  return {
    node,
    catalog: textOf(node['catalog_name']),
    schema: textOf(node['schema_name']),
    name: textOf(node['table_name']) ?? '',
    location: typeof location === 'number' ? location : undefined,
    alias: textOf(node['alias']),
    isOnly: false,
    // `table t` is `from t` to DuckDB's parser; a subquery in its place does not parse, and is refused.
    isTableCommand: false,
    refusal: 'at_clause' in node ? 'An earlier version of a table has no fence.' : undefined,
  };
}
