import { parsePostgres, type ParseNode } from '../postgres/postgres-parser.js';
import { assertReadingPostgres } from '../postgres/prove-postgres.js';
import { postgresInquiry } from './postgres-inquiry.js';
import { postgresReferences } from './postgres-references.js';
import { policyRejection } from './policy-rejection.js';
import type { ColumnUse, FenceParts, PolicyDialect } from './policy-dialect.js';
import { isNode, nodesOf, type TreeNode, nodeOf, listOf, textOf } from './syntax-tree.js';

/** What a predicate may be made of; a subquery could reach other tables, and rows of this one by another way. */
const predicateKinds: ReadonlySet<string> = new Set([
  ...['BoolExpr', 'A_Expr', 'A_Const', 'ColumnRef', 'ParamRef', 'FuncCall', 'TypeCast', 'TypeName', 'NullTest'],
  ...['BooleanTest', 'CaseExpr', 'CaseWhen', 'CoalesceExpr', 'MinMaxExpr', 'A_ArrayExpr', 'A_Indirection'],
  ...['A_Indices', 'SQLValueFunction', 'CollateClause', 'RowExpr', 'List'],
  ...['String', 'Integer', 'Float', 'Boolean', 'BitString'],
]);

/** The marks of aggregates and windows on a call. */
const aggregateMarks = ['agg_order', 'agg_filter', 'agg_within_group', 'agg_star', 'agg_distinct', 'over'];

/** Not pg_class, which counts the rows and the pages of every table and has the bounds of partitions. */
const harmlessCatalogs: ReadonlySet<string> = new Set([
  ...['pg_namespace', 'pg_type', 'pg_description', 'pg_collation'],
  ...['pg_timezone_names', 'pg_timezone_abbrevs'],
]);
const harmlessOfInformationSchema: ReadonlySet<string> = new Set([
  ...['columns', 'constraint_column_usage', 'key_column_usage', 'referential_constraints', 'schemata'],
  ...['table_constraints', 'tables'],
]);

const fenceMembers = ['targetList', 'fromClause', 'whereClause', 'limitOffset', 'limitOption', 'op'];
const fillingNulls = ['FuncCall', 'CoalesceExpr', 'CaseExpr', 'MinMaxExpr', 'NullTest', 'BooleanTest'];
const junctions: Readonly<Record<string, 'and' | 'or'>> = { AND_EXPR: 'and', OR_EXPR: 'or' };

export const postgresPolicyDialect: PolicyDialect = {
  parse: parsePostgres,
  prove: assertReadingPostgres,
  references: postgresReferences,
  inquiry: postgresInquiry,

  isHarmlessCatalog({ schema, name }) {
    if (schema === 'information_schema') return harmlessOfInformationSchema.has(name);
    return (schema === undefined || schema === 'pg_catalog') && harmlessCatalogs.has(name);
  },

  expressionOf(statement) {
    const select = memberOf(statement, 'SelectStmt');
    const isBare = Object.keys(select).every((name) => ['targetList', 'limitOption', 'op'].includes(name));
    const [target, ...others] = listOf(select['targetList']);
    const result = memberOf(target, 'ResTarget');
    if (!isBare || others.length > 0 || 'name' in result || 'indirection' in result) return undefined;
    return result['val'];
  },

  columnsOf(expression) {
    for (const node of nodesOf(expression)) assertPredicateNode(node);
    return [...nodesOf(expression)].filter((node) => 'ColumnRef' in node).map(columnUse);
  },

  placeholdersOf(expression) {
    const numbers = [...nodesOf(expression)].map((node) => memberOf(node, 'ParamRef')['number']);
    return numbers.filter((number) => typeof number === 'number');
  },

  mayFillNulls(expression) {
    return [...nodesOf(expression)].some((node) => fillingNulls.some((kind) => Object.hasOwn(node, kind)));
  },

  qualified({ name }, alias) {
    return { ColumnRef: { fields: [{ String: { sval: alias } }, { String: { sval: name } }] } };
  },

  operandsOf(expression) {
    const { boolop, args } = memberOf(expression, 'BoolExpr');
    const kind = typeof boolop === 'string' ? junctions[boolop] : undefined;
    return kind && { kind, operands: listOf(args) };
  },

  fencePartsOf(statement, alias) {
    const select = memberOf(statement, 'SelectStmt');
    const from = listOf(select['fromClause']);
    const hasOnlyFence =
      Object.keys(select).every((name) => fenceMembers.includes(name)) &&
      select['op'] === 'SETOP_NONE' &&
      isZero(select['limitOffset']) &&
      from.length === 1;
    const relation = memberOf(from[0], 'RangeVar');
    const { aliasname, colnames } = nodeOf(relation['alias']);
    if (!hasOnlyFence || aliasname !== alias || colnames !== undefined) return undefined;
    return {
      relation: { ...tableNameOf(relation), isOnly: relation['inh'] !== true },
      columns: listOf(select['targetList']).map((target) => columnOf(target, alias)),
      where: select['whereClause'],
    };
  },

  fenced(reference, fence) {
    const alias = nodeOf(memberOf(reference.node, 'RangeVar')['alias'] ?? { aliasname: reference.name });
    return { RangeSubselect: { subquery: fence, alias } };
  },

  // The branch that is never taken gives the other its type.
  mask(kind, column, _known, placeholder) {
    switch (kind) {
      case 'NULL':
        return `case when false then ${column} end`;
      case 'FIXED':
        return `case when false then ${column} else ${placeholder} end`;
      case 'HASH':
        return `encode(sha256(convert_to(${placeholder}::text || ${column}::text, 'UTF8')), 'hex')`;
    }
  },
};

function assertPredicateNode(node: ParseNode): void {
  for (const [kind, member] of Object.entries(node)) {
    if (!/^[A-Z]/.test(kind)) continue;
    if (!predicateKinds.has(kind)) throw policyRejection(`A predicate may not hold ${kind}.`);
    if (kind === 'FuncCall' && aggregateMarks.some((mark) => isNode(member) && mark in member)) {
      throw policyRejection('A predicate may not hold an aggregate or a window.');
    }
  }
}

function columnUse(node: TreeNode): ColumnUse {
  const { fields, location } = memberOf(node, 'ColumnRef');
  const [name, ...others] = listOf(fields).map((field) => memberOf(field, 'String')['sval']);
  if (typeof name !== 'string' || others.length > 0) {
    throw policyRejection('A predicate names its columns alone, without their table.');
  }
  // The parser leaves a place of 0 out, which no column has behind the word SELECT.
  return { node, name, location: typeof location === 'number' ? location : undefined };
}

/** `t."a" as "a"` by its name alone, `t.*` as a star, anything else as it is. */
function columnOf(target: unknown, alias: string): FenceParts['columns'][number] {
  const { name, val } = memberOf(target, 'ResTarget');
  const [first, second] = listOf(memberOf(val, 'ColumnRef')['fields']);
  const isOwn = memberOf(first, 'String')['sval'] === alias;
  const column = memberOf(second, 'String')['sval'];
  const value = isOwn && isNode(second) && 'A_Star' in second ? '*' : isOwn ? (column ?? val) : val;
  return { name: typeof name === 'string' ? name : undefined, value };
}

function tableNameOf({ catalogname, schemaname, relname }: TreeNode): {
  catalog: string | undefined;
  schema: string | undefined;
  name: string;
} {
  return { catalog: textOf(catalogname), schema: textOf(schemaname), name: textOf(relname) ?? '' };
}

/** The parser leaves what is 0 out. */
function isZero(value: unknown): boolean {
  const integer = memberOf(value, 'A_Const')['ival'];
  return isNode(integer) && Object.keys(integer).length === 0;
}

function memberOf(value: unknown, kind: string): TreeNode {
  return isNode(value) ? nodeOf(value[kind]) : {};
}
