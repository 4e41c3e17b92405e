import type { CatalogTable } from './source-catalog.js';
import type { FenceParts, PolicyDialect } from './policy-dialect.js';
import { isSameTree, type TreeNode } from './syntax-tree.js';

/**
 * The name of the governed table inside a fence. No query may hold it: an engine that does not find a column under it
 * inside (a table that changed since it was read) looks outside, where the query could offer one of its own.
 */
export const fenceAlias = 'sluice_row';

/** What replaces a reference: a subquery that the optimiser may not look behind. */
export interface FencePlan {
  readonly table: CatalogTable;
  readonly isOnly: boolean;
  /** Groups to be joined by `and`, their members by `or`; each member is one proven expression. */
  readonly conditions: readonly (readonly ProvenExpression[])[];
  /** By column, where any is masked. */
  readonly masks: ReadonlyMap<string, ProvenExpression>;
}

export interface ProvenExpression {
  readonly text: string;
  readonly tree: unknown;
}

/**
 * `offset 0` is the fence on both engines: neither moves a condition of the query below it, so no expression of the
 * query is evaluated on a row that the policy hides. decisions/0012 says what was measured.
 */
export function fenceText({ table, isOnly, conditions, masks }: FencePlan): string {
  const columns =
    masks.size === 0
      ? `${fenceAlias}.*`
      : table.columns.map(({ name }) => `${masks.get(name)?.text ?? column(name)} as ${quoted(name)}`).join(', ');
  // A line comment at the end of a predicate ends with its line.
  const where = conditions.map((group) => `(${group.map(({ text }) => `(${text}\n)`).join(' or ')})`).join(' and ');
  const from = `${isOnly ? 'only ' : ''}${quoted(table.schema)}.${quoted(table.name)}`;
  return `select ${columns} from ${from} as ${fenceAlias} where ${where} offset 0`;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function column(name: string): string {
  return `${fenceAlias}.${quoted(name)}`;
}

/** Whether a fence's tree is the plan and nothing else, whatever its predicates were made of. */
export function isFenceOf(plan: FencePlan, statement: TreeNode, dialect: PolicyDialect): boolean {
  const parts = dialect.fencePartsOf(statement, fenceAlias);
  if (!parts) return false;
  const { relation } = parts;
  return (
    relation.name === plan.table.name &&
    relation.schema === plan.table.schema &&
    relation.catalog === undefined &&
    relation.isOnly === plan.isOnly &&
    hasPlannedColumns(plan, parts) &&
    hasPlannedConditions(plan, parts.where, dialect)
  );
}

function hasPlannedColumns({ table, masks }: FencePlan, { columns }: FenceParts): boolean {
  if (masks.size === 0) return columns.length === 1 && columns[0]?.name === undefined && columns[0]?.value === '*';
  if (columns.length !== table.columns.length) return false;
  return table.columns.every(({ name }, index) => {
    const actual = columns[index];
    const mask = masks.get(name);
    return actual?.name === name && (mask ? isSameTree(mask.tree, actual.value) : actual.value === name);
  });
}

/**
 * Parsers make one node of `a and b and c`, wherever parentheses stood; so both sides are taken apart before they are
 * compared, which no meaning depends on.
 */
function hasPlannedConditions({ conditions }: FencePlan, where: unknown, dialect: PolicyDialect): boolean {
  const expected = conditions.flatMap((group) => {
    const [only] = group;
    return group.length === 1 && only
      ? operands('and', only.tree, dialect).map((each) => operands('or', each, dialect))
      : [group.flatMap(({ tree }) => operands('or', tree, dialect))];
  });
  const actual = operands('and', where, dialect).map((each) => operands('or', each, dialect));
  return isSameTree(expected, actual);
}

function operands(kind: 'and' | 'or', expression: unknown, dialect: PolicyDialect): unknown[] {
  const found = dialect.operandsOf(expression);
  return found?.kind === kind ? found.operands.flatMap((each) => operands(kind, each, dialect)) : [expression];
}

/** Whether a statement may have the predicates of policies in it: no other may hold the fence's alias. */
export function showsPolicies(sql: string): boolean {
  return sql.includes(fenceAlias);
}
