import type { Premises } from '../premises.js';
import { notReadOnly, rejected, shown } from '../sql-text.js';
import { allowedFunctions } from './allowed-functions.js';
import { isReadableRelation } from './catalog-relations.js';
import { readingKinds, statementNames } from './node-kinds.js';
import { parsePostgres, type ParseNode } from './postgres-parser.js';

type Check = (node: ParseNode, premises: Premises) => void;

/** Sampling methods are code; these two are PostgreSQL's own. */
const samplingMethods: ReadonlySet<string> = new Set(['system', 'bernoulli']);

/** Nodes that name something which runs or which must not be read. */
const checks: Readonly<Record<string, Check>> = {
  FuncCall: (node, { extraFunctions }) => assertFunction(namesOf(node['funcname']), extraFunctions),
  A_Expr: (node) => assertOperator(namesOf(node['name'])),
  SubLink: (node) => assertOperator(namesOf(node['operName'])),
  SortBy: (node) => assertOperator(namesOf(node['useOp'])),
  RangeTableSample: (node) => assertSampling(namesOf(node['method'])),
  RangeVar: (node) => assertRelation(node),
  ParamRef: (node, { valueCount }) => assertPlaceholder(node['number'], valueCount),
};

/**
 * Accepts one SelectStmt (set operations, VALUES, TABLE and common table expressions are that too) all of whose nodes
 * are known to read, and all of whose functions are on the list. Names are judged as the parser resolved them, so
 * that `"set_config"`, `U&"s\0065t_config"` and `pg_catalog . set_config` are one name.
 *
 * One way of calling a function has no mark in the tree: `t.f` is also `f(t)` for a function f of the row type of t.
 * No built-in function that takes a whole row does harm; one that a source's owner made for a table is the owner's.
 */
export async function provePostgres(sql: string, premises: Premises): Promise<void> {
  assertReadingPostgres(await parsePostgres(sql), premises);
}

/** The proof for a text that is parsed already. */
export function assertReadingPostgres(statements: readonly ParseNode[], premises: Premises): ParseNode {
  const [statement] = statements;
  if (!statement) throw rejected('There is no statement.');
  if (statements.length > 1) throw notReadOnly(`There are ${statements.length} statements; one is run at a time.`);
  if (!('SelectStmt' in statement)) throw refusedKind(Object.keys(statement)[0] ?? '');
  assertReading(statement, premises);
  return statement;
}

/** Walks without recursion: the depth of a tree is the caller's choice. */
function assertReading(root: ParseNode, premises: Premises): void {
  const pending: unknown[] = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value) pending.push(item);
      continue;
    }
    // JSON's objects, whose members may be anything.
    const node = value as ParseNode;
    for (const name of Object.keys(node)) {
      const member = node[name];
      assertMember(name, member, premises);
      if (typeof member === 'object') pending.push(member);
    }
  }
}

/** A member whose name begins with a capital names the kind of a node; any other is a field. */
function assertMember(name: string, member: unknown, premises: Premises): void {
  if (name === 'intoClause') throw refusedKind('IntoClause');
  if (!(name >= 'A' && name < '[')) return;
  if (!readingKinds.has(name)) throw refusedKind(name);
  // A node's kind is always followed by its members.
  checks[name]?.(member as ParseNode, premises);
}

/** PostgreSQL's parser reads a bare `?` as a placeholder without a number. */
function assertPlaceholder(number: unknown, valueCount: number): void {
  if (typeof number === 'number' && number >= 1 && number <= valueCount) return;
  throw rejected('Placeholders such as $1 have no value here.');
}

function assertFunction(names: readonly string[], extra: ReadonlySet<string>): void {
  if (extra.has(names.join('.'))) return;
  const name = names.at(-1) ?? '';
  const isBuiltIn = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog');
  if (isBuiltIn && allowedFunctions.has(name)) return;
  throw notReadOnly(
    `The function ${shown(names.join('.'))} may not be called: it is not among those known to only read.`,
  );
}

function assertOperator(names: readonly string[]): void {
  if (names.length < 2 || (names.length === 2 && names[0] === 'pg_catalog')) return;
  throw notReadOnly(`The operator ${shown(names.join('.'))} may not be used: only those of pg_catalog are known.`);
}

function assertSampling(names: readonly string[]): void {
  const isBuiltIn = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog');
  if (isBuiltIn && samplingMethods.has(names.at(-1) ?? '')) return;
  throw notReadOnly(`The sampling method ${shown(names.join('.'))} may not be used; SYSTEM and BERNOULLI may.`);
}

function assertRelation(node: ParseNode): void {
  const [schema, name] = [textOf(node['schemaname']), textOf(node['relname']) ?? ''];
  if (isReadableRelation(schema, name)) return;
  throw notReadOnly(
    `${shown(schema === undefined ? name : `${schema}.${name}`)} may not be read: it shows the server's inside.`,
  );
}

function refusedKind(kind: string): Error {
  const name = statementNames[kind] ?? `This (${kind.replace(/Stmt$/, '')})`;
  return notReadOnly(`${name} is not allowed: only one SELECT that reads is run.`);
}

/** The strings of a list such as `[{"String": {"sval": "pg_catalog"}}, …]`. */
function namesOf(list: unknown): string[] {
  if (list === undefined) return [];
  // The grammar makes names of String nodes alone; anything else fails the comparison that follows.
  return (list as { String?: { sval?: string } }[]).map((item) => item.String?.sval ?? '');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
