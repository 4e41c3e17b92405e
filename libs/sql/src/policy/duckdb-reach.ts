import { allowedDuckdbFunctions } from '../duckdb/allowed-functions.js';
import { allowedTableFunctions } from '../duckdb/function-rules.js';
import { duckdbPolicyDialect } from './duckdb-policy-dialect.js';
import type { ReachPremises, ReadRelation, TableName } from './policy-types.js';
import { listOf, nodeOf, nodesOf, type TreeNode } from './syntax-tree.js';

/** To be run on the same connection as the statement, before it. */
export const duckdbViewsQuery = `
  select schema_name, view_name, sql from duckdb_views()
   where not internal and database_name = current_database()`;

export interface DuckdbView {
  readonly schema: string;
  readonly name: string;
  /** The whole statement, `CREATE VIEW … AS …;`. */
  readonly sql: string;
}

/** How a view is made; what follows is the query. */
const viewHead =
  /^\s*create\s+(?:temp(?:orary)?\s+)?view\s+(?:"(?:[^"]|"")*"|[^\s".(]+)(?:\.(?:"(?:[^"]|"")*"|[^\s".(]+))*\s*(?:\((?:[^()"]|"(?:[^"]|"")*")*\)\s*)?as\s/i;

/**
 * Why a statement must not run on an instance with these views, for the log; undefined where it may. A view may show
 * the rows of a governed table, or of a file that a governed view shows, only under at least the same policies. A
 * view whose text cannot be read is taken to show them all.
 */
export async function duckdbReachFault(
  { relations, governed }: ReachPremises,
  views: readonly DuckdbView[],
): Promise<string | undefined> {
  const byKey = new Map(views.map((view) => [keyOf(view), view]));
  const sourcesOf = new Map<string, readonly string[] | undefined>();
  const reach = async (key: string): Promise<ReadonlySet<string> | undefined> => {
    const reached = new Set<string>([key]);
    // A set is walked to its end, also past what is added on the way.
    for (const each of reached) {
      const view = byKey.get(each);
      if (!view) continue;
      if (!sourcesOf.has(each)) sourcesOf.set(each, await sourcesOfView(view));
      const sources = sourcesOf.get(each);
      if (!sources) return undefined;
      for (const source of sources) reached.add(source);
    }
    return reached;
  };
  const policiesOf = await policiesOfSources(governed, reach);
  for (const relation of relations) {
    const fault = faultOf(relation, await reach(keyOf(relation)), policiesOf);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The policies of each governed table, and of each file that it is a view of. */
async function policiesOfSources(
  governed: readonly ReadRelation[],
  reach: (key: string) => Promise<ReadonlySet<string> | undefined>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const policies = new Map<string, readonly string[]>();
  for (const table of governed) {
    policies.set(keyOf(table), table.policyIds);
    const files = [...((await reach(keyOf(table))) ?? [])].filter((key) => key.startsWith(filePrefix));
    for (const file of files) policies.set(file, [...(policies.get(file) ?? []), ...table.policyIds]);
  }
  return policies;
}

function faultOf(
  relation: ReadRelation,
  reached: ReadonlySet<string> | undefined,
  policiesOf: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  if (!reached) return `${relation.name} is made of a view whose text cannot be read.`;
  const needed = [...reached].flatMap((key) => policiesOf.get(key) ?? []);
  const missing = needed.find((id) => !relation.policyIds.includes(id));
  return missing && `${relation.name} shows rows that policy ${missing} governs elsewhere.`;
}

const filePrefix = 'file:';

/** The tables, views and files that a view is made of; undefined where that cannot be told. */
async function sourcesOfView({ sql, schema }: DuckdbView): Promise<readonly string[] | undefined> {
  const head = viewHead.exec(sql);
  if (!head) return undefined;
  try {
    const [statement, ...extra] = await duckdbPolicyDialect.parse(sql.slice(head[0].length));
    if (!statement || extra.length > 0) return undefined;
    const tables = duckdbPolicyDialect.references(statement);
    // A name without a schema may be one of the view's own schema or of the default one; a file's name is a table's.
    const keys = tables.flatMap((table) => [
      keyOf(table),
      keyOf({ ...table, schema: table.schema ?? schema }),
      `${filePrefix}${table.name}`,
    ]);
    const nodes = [...nodesOf(statement)];
    const calls = nodes.filter(({ type }) => type === 'TABLE_FUNCTION').map((node) => node['function']);
    const others = nodes.filter((node) => node['class'] === 'FUNCTION' && !calls.includes(node));
    if (!calls.every(readsNamedFiles) || !others.every(computes)) return undefined;
    return [...keys, ...calls.flatMap(filesOf).map((file) => `${filePrefix}${file}`)];
  } catch {
    return undefined;
  }
}

/** Any other may be a macro, which reads what it likes. */
function readsNamedFiles(call: unknown): boolean {
  const name = nodeOf(call)['function_name'];
  return typeof name === 'string' && (allowedTableFunctions.has(name) || /^(read|scan)_|^parquet_scan$/.test(name));
}

function computes({ function_name: name }: TreeNode): boolean {
  return typeof name === 'string' && allowedDuckdbFunctions.has(name.toLowerCase());
}

/** The strings of the first argument: a file, or a list of them. */
function filesOf(call: unknown): string[] {
  const [first] = listOf(nodeOf(call)['children']);
  return [...nodesOf(first)].map(({ value }) => value).filter((value) => typeof value === 'string');
}

function keyOf({ schema = 'main', name }: TableName): string {
  return JSON.stringify([schema.toLowerCase(), name.toLowerCase()]);
}
