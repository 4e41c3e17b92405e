import type { Reference } from './policy-dialect.js';
import { cteScope, type CteScope } from './cte-scope.js';
import { isNode, listOf, nodeOf, type TreeNode, textOf } from './syntax-tree.js';

interface Visit {
  readonly value: unknown;
  readonly scope: CteScope;
  readonly isSampled?: boolean | undefined;
  readonly isTableCommand?: boolean | undefined;
}

/** Every relation that a statement names and that is no common table expression where it stands. */
export function postgresReferences(statement: TreeNode): readonly Reference[] {
  const found: Reference[] = [];
  const pending: Visit[] = [{ value: statement, scope: cteScope }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { value, scope, isSampled, isTableCommand } = visit;
    if (Array.isArray(value)) {
      // Fields one by one: a spread of each visit is half the cost of the walk.
      for (const item of value) pending.push({ value: item, scope, isSampled, isTableCommand });
    } else if (isNode(value)) {
      if (isNode(value['RangeVar'])) {
        const reference = referenceOf(value, value['RangeVar'], visit);
        if (reference.schema !== undefined || !scope.has(reference.name)) found.push(reference);
      } else {
        pushMembers(value, scope, pending);
      }
    }
  }
  return found;
}

function pushMembers(node: TreeNode, outer: CteScope, pending: Visit[]): void {
  const { withClause, RangeTableSample: sample } = node;
  const scope = isNode(withClause) ? pushCommonTables(withClause, outer, pending) : outer;
  const isTableCommand = isMadeByTable(node);
  for (const name of Object.keys(node)) {
    const value = node[name];
    if (typeof value !== 'object' || value === withClause || value === sample) continue;
    pending.push({ value, scope, isSampled: undefined, isTableCommand });
  }
  if (!isNode(sample)) return;
  const { relation, ...others } = sample;
  pending.push({ value: relation, scope, isSampled: true }, { value: Object.values(others), scope });
}

/** Each sees those before it; where any may be recursive, all see all. */
function pushCommonTables({ ctes, recursive }: TreeNode, outer: CteScope, pending: Visit[]): CteScope {
  const expressions = listOf(ctes)
    .map((cte) => nodeOf(cte)['CommonTableExpr'])
    .filter(isNode);
  const all = expressions.reduce((scope, { ctename }) => scope.with(String(ctename)), outer);
  let before = outer;
  for (const expression of expressions) {
    pending.push({ value: expression, scope: recursive === true ? all : before });
    before = before.with(String(expression['ctename']));
  }
  return all;
}

function referenceOf(node: TreeNode, relation: TreeNode, { isSampled, isTableCommand }: Visit): Reference {
  const { catalogname, schemaname, relname, location, inh, alias } = relation;
  return {
    node,
    catalog: textOf(catalogname),
    schema: textOf(schemaname),
    name: textOf(relname) ?? '',
    location: typeof location === 'number' ? location : undefined,
    alias: isNode(alias) ? textOf(alias['aliasname']) : undefined,
    isOnly: inh !== true,
    isTableCommand: isTableCommand === true,
    refusal: isSampled === true ? 'TABLESAMPLE reads blocks of the true table.' : undefined,
  };
}

/** `table t` is `select * from t` with a star that stands nowhere. */
function isMadeByTable({ targetList, fromClause }: TreeNode): boolean {
  if (fromClause === undefined) return false;
  const [target] = listOf(targetList);
  return nodeOf(nodeOf(target)['ResTarget'])['location'] === -1;
}
