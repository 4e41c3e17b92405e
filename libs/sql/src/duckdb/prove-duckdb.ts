import type { Premises } from '../premises.js';
import { notReadOnly, rejected, shown } from '../sql-text.js';
import { allowedDuckdbFunctions } from './allowed-functions.js';
import { isReadableRelation } from './catalog-relations.js';
import { parseDuckdb, type DuckdbNode } from './duckdb-parser.js';
import { allowedTableFunctions } from './function-rules.js';
import { readingClasses, readingTypes } from './node-kinds.js';

/** The description of a type of values, as in a cast. */
const typeInformation = /^[A-Z]+_TYPE_INFO$/;

/**
 * Accepts one SELECT all of whose nodes are known to read and all of whose functions are on the list. The instance
 * that runs it is locked down as well; the proof is what keeps a statement from reading what the instance holds for
 * itself, and from writing into a directory that it may read.
 */
export async function proveDuckdb(sql: string, premises: Premises): Promise<void> {
  assertReadingDuckdb(await parseDuckdb(sql), premises);
}

/** The proof for a text that is parsed already. */
export function assertReadingDuckdb(statements: readonly DuckdbNode[], premises: Premises): DuckdbNode {
  const [statement] = statements;
  if (statement === undefined) throw rejected('There is no statement.');
  if (statements.length > 1) throw notReadOnly(`There are ${statements.length} statements; one is run at a time.`);
  assertReading(statement, premises);
  return statement;
}

/** Walks without recursion: the depth of a tree is the caller's choice. */
function assertReading(root: unknown, premises: Premises): void {
  const pending: unknown[] = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value) pending.push(item);
      continue;
    }
    // JSON's objects, whose members may be anything.
    for (const member of membersToJudge(value as DuckdbNode, premises)) pending.push(member);
  }
}

/** Judges one node; the answer is what is left to judge of it. */
function membersToJudge(node: DuckdbNode, premises: Premises): unknown[] {
  const { class: expressionClass, type } = node;
  if (expressionClass === 'CONSTANT') return [];
  if (expressionClass !== undefined) {
    assertExpression(node, textOf(expressionClass), premises);
  } else if (type === 'TABLE_FUNCTION') {
    // The call's name has a list of its own; its arguments are judged like any expression.
    const { function: call, ...others } = node;
    return [...Object.values(others), argumentsOfTableFunction(call, premises.extraFunctions)];
  } else if (typeof type === 'string') {
    assertTypedNode(node, type);
  }
  return Object.values(node);
}

function assertExpression(node: DuckdbNode, expressionClass: string, premises: Premises): void {
  if (expressionClass === 'PARAMETER') {
    assertHasValue(node, premises.valueCount);
    return;
  }
  if (!readingClasses.has(expressionClass)) throw refusedKind(expressionClass);
  if (expressionClass === 'FUNCTION' || expressionClass === 'WINDOW') {
    assertFunction(textOf(node['function_name']), allowedDuckdbFunctions, premises.extraFunctions);
  }
}

function assertHasValue(node: DuckdbNode, valueCount: number): void {
  const identifier = textOf(node['identifier']);
  if (/^[1-9]\d{0,5}$/.test(identifier) && Number(identifier) <= valueCount) return;
  throw rejected('Placeholders such as $1 have no value here.');
}

function assertTypedNode(node: DuckdbNode, type: string): void {
  if (type === 'SHOW_REF') throw notReadOnly('DESCRIBE, SHOW and SUMMARIZE are not allowed: only one SELECT is run.');
  if (!readingTypes.has(type) && !typeInformation.test(type)) throw refusedKind(type);
  if (type === 'BASE_TABLE') assertRelation(node);
}

function argumentsOfTableFunction(call: unknown, extraFunctions: ReadonlySet<string>): unknown {
  if (typeof call !== 'object' || call === null) throw refusedKind('TABLE_FUNCTION');
  // As above; whatever is not the call of a function is refused on the next line.
  const { class: expressionClass, function_name: name, ...others } = call as DuckdbNode;
  if (expressionClass !== 'FUNCTION') throw refusedKind(textOf(expressionClass));
  assertFunction(textOf(name), allowedTableFunctions, extraFunctions);
  return Object.values(others).filter((member) => typeof member === 'object');
}

function assertFunction(name: string, allowed: ReadonlySet<string>, extra: ReadonlySet<string>): void {
  if (allowed.has(name.toLowerCase()) || extra.has(name)) return;
  throw notReadOnly(`The function ${shown(name)} may not be called: it is not among those known to only read.`);
}

function assertRelation(node: DuckdbNode): void {
  const [catalog, schema, name] = [node['catalog_name'], node['schema_name'], node['table_name']].map(textOf);
  if (isReadableRelation(catalog ?? '', schema ?? '', name ?? '')) return;
  throw notReadOnly(`${shown(name ?? '')} may not be read: only the tables of the source are.`);
}

function refusedKind(kind: string): Error {
  return notReadOnly(`This (${kind}) is not allowed: only one SELECT that reads is run.`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
