import { parseDuckdb } from '../duckdb/duckdb-parser.js';
import { assertReadingDuckdb } from '../duckdb/prove-duckdb.js';
import { duckdbReferences } from './duckdb-references.js';
import { policyRejection } from './policy-rejection.js';
import type { ColumnUse, FenceParts, PolicyDialect } from './policy-dialect.js';
import { isNode, nodesOf, type TreeNode, nodeOf, listOf, textOf } from './syntax-tree.js';

/** What a predicate may be made of; a subquery could reach other tables, and rows of this one by another way. */
const predicateClasses: ReadonlySet<string> = new Set([
  ...['COLUMN_REF', 'CONSTANT', 'PARAMETER', 'FUNCTION', 'OPERATOR', 'COMPARISON', 'CONJUNCTION', 'BETWEEN'],
  ...['CASE', 'CAST', 'COLLATE'],
]);

/** Not constraint_column_usage, which has the text of constraints here. */
const harmlessOfInformationSchema: ReadonlySet<string> = new Set([
  ...['columns', 'key_column_usage', 'referential_constraints', 'schemata'],
  ...['table_constraints', 'tables'],
]);

const expressionMembers = ['type', 'select_list', 'from_table', 'aggregate_handling'];
const fenceMembers = [...expressionMembers, 'modifiers', 'where_clause'];
const relationMembers = ['type', 'alias', 'query_location', 'schema_name', 'table_name'];
const fillingNulls: ReadonlySet<string> = new Set([
  ...['OPERATOR_COALESCE', 'OPERATOR_IS_NULL', 'OPERATOR_IS_NOT_NULL'],
  ...['COMPARE_DISTINCT_FROM', 'COMPARE_NOT_DISTINCT_FROM'],
]);
const junctions: Readonly<Record<string, 'and' | 'or'>> = { CONJUNCTION_AND: 'and', CONJUNCTION_OR: 'or' };

export const duckdbPolicyDialect: PolicyDialect = {
  parse: parseDuckdb,
  prove: assertReadingDuckdb,
  references: duckdbReferences,
  // The proof's list has no function that looks at more than its arguments.
  inquiry: () => undefined,

  isHarmlessCatalog({ schema, name }) {
    return schema?.toLowerCase() === 'information_schema' && harmlessOfInformationSchema.has(name.toLowerCase());
  },

  expressionOf(statement) {
    const [expression, ...others] = listOf(statement['select_list']);
    const isBare =
      isSelect(statement, expressionMembers) &&
      nodeOf(statement['from_table'])['type'] === 'EMPTY' &&
      others.length === 0;
    return isBare && isNode(expression) && !('alias' in expression) ? expression : undefined;
  },

  columnsOf(expression) {
    const classed = classedNodes(expression);
    for (const node of classed) assertPredicateNode(node);
    return classed.filter((node) => node['class'] === 'COLUMN_REF').map(columnUse);
  },

  placeholdersOf(expression) {
    return classedNodes(expression)
      .filter((node) => node['class'] === 'PARAMETER')
      .map((node) => Number(node['identifier']));
  },

  mayFillNulls(expression) {
    return classedNodes(expression).some(
      ({ class: kind, type, is_operator: isOperator }) =>
        kind === 'CASE' || fillingNulls.has(String(type)) || (kind === 'FUNCTION' && isOperator !== true),
    );
  },

  qualified({ node, name }, alias) {
    return { ...node, column_names: [alias, name] };
  },

  operandsOf(expression) {
    const { type, children } = nodeOf(expression);
    const kind = typeof type === 'string' ? junctions[type] : undefined;
    return kind && { kind, operands: listOf(children) };
  },

  fencePartsOf(statement, alias) {
    const relation = nodeOf(statement['from_table']);
    const isFence =
      isSelect(statement, fenceMembers) &&
      isOffsetZero(listOf(statement['modifiers'])) &&
      relation['type'] === 'BASE_TABLE' &&
      relation['alias'] === alias &&
      Object.keys(relation).every((name) => relationMembers.includes(name));
    if (!isFence) return undefined;
    return {
      relation: {
        catalog: undefined,
        schema: textOf(relation['schema_name']),
        name: textOf(relation['table_name']) ?? '',
        isOnly: false,
      },
      columns: listOf(statement['select_list']).map((item) => columnOf(nodeOf(item), alias)),
      where: statement['where_clause'],
    };
  },

  fenced({ node, name }, fence) {
    const { sample, column_name_alias: columns } = node;
    return {
      type: 'SUBQUERY',
      alias: node['alias'] ?? name,
      ...(sample === undefined ? {} : { sample }),
      subquery: { node: fence },
      ...(columns === undefined ? {} : { column_name_alias: columns }),
    };
  },

  mask(kind, column, { sourceType }, placeholder) {
    switch (kind) {
      case 'NULL':
        return `case when false then ${column} end`;
      case 'FIXED':
        return `cast(${placeholder} as ${sourceType})`;
      case 'HASH':
        return `sha256(cast(${placeholder} as varchar) || cast(${column} as varchar))`;
    }
  },
};

function isSelect(statement: TreeNode, members: readonly string[]): boolean {
  return (
    statement['type'] === 'SELECT_NODE' &&
    statement['aggregate_handling'] === 'STANDARD_HANDLING' &&
    Object.keys(statement).every((name) => members.includes(name))
  );
}

function isOffsetZero(modifiers: readonly unknown[]): boolean {
  const [modifier, ...others] = modifiers;
  if (others.length > 0 || !isNode(modifier) || modifier['type'] !== 'LIMIT_MODIFIER' || 'limit' in modifier)
    return false;
  return nodeOf(nodeOf(modifier['offset'])['value'])['value'] === 0;
}

/** The nodes of an expression but for what constants hold. */
function classedNodes(expression: unknown): readonly TreeNode[] {
  return [...nodesOf(expression)].filter((node) => typeof node['class'] === 'string');
}

function assertPredicateNode(node: TreeNode): void {
  const kind = textOf(node['class']) ?? '';
  if (!predicateClasses.has(kind)) throw policyRejection(`A predicate may not hold ${kind}.`);
  const isAggregate =
    'distinct' in node || 'filter' in node || (isNode(node['order_bys']) && 'orders' in node['order_bys']);
  if (kind === 'FUNCTION' && isAggregate) throw policyRejection('A predicate may not hold an aggregate.');
}

function columnUse(node: TreeNode): ColumnUse {
  const [name, ...others] = listOf(node['column_names']);
  if (typeof name !== 'string' || others.length > 0) {
    throw policyRejection('A predicate names its columns alone, without their table.');
  }
  const location = node['query_location'];
  return { node, name, location: typeof location === 'number' ? location : undefined };
}

/** `t."a" as "a"` by its name alone, `t.*` as a star, anything else as it is. */
function columnOf(item: TreeNode, alias: string): FenceParts['columns'][number] {
  const { alias: name, ...value } = item;
  if (item['class'] === 'STAR') {
    const isPlain = Object.keys(item).every((each) =>
      ['class', 'type', 'query_location', 'relation_name'].includes(each),
    );
    return { name: undefined, value: isPlain && item['relation_name'] === alias ? '*' : value };
  }
  const [first, second, ...others] = listOf(item['column_names']);
  const isOwn = item['class'] === 'COLUMN_REF' && first === alias && others.length === 0;
  return { name: textOf(name), value: isOwn ? second : value };
}
