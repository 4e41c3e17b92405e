import type { SqlDialect } from '../prove-read-only.js';
import { column, fenceAlias, quoted } from './fence.js';
import { PlaceholderList } from './placeholder-list.js';
import type { PolicyDialect } from './policy-dialect.js';
import { policyDialects } from './policy-dialects.js';
import type { ColumnMask, ReachPremises, RowPolicy, TypedValue } from './policy-types.js';
import { bindPredicate, parseExpression, readPredicate, type ParseExpression } from './predicate.js';
import { sampleCaller, unknownValue } from './sample-caller.js';
import { SourceCatalog, type CatalogTable } from './source-catalog.js';
import { SourcePolicies, type SourcePoliciesOptions } from './source-policies.js';

/** A statement by which a source tells whether it can compute one part of a policy, without a row being read. */
export interface PolicyTrial {
  /** The part, as a path into the policy. */
  readonly path: readonly string[];
  /** Where the policy names none. */
  readonly table: string | undefined;
  readonly sql: string;
  readonly values: readonly TypedValue[];
  readonly reach?: ReachPremises | undefined;
  /** The same statement without the part. */
  readonly controlSql: string;
  /** To be run, as it names no rows; others are to be planned alone. */
  readonly computes: boolean;
  /** Its one column has to do for a condition. */
  readonly isCondition: boolean;
  /** NULL stands in it for what nobody knows yet, and something makes a value of that: a value that it refuses may never be there. */
  readonly hasInventedValues: boolean;
}

type Options = Omit<SourcePoliciesOptions, 'policies' | 'maskKey'>;

/** A source whose tables differ in the types of equal columns this much is not tried to its end. */
const trialsMax = 50;

/**
 * How a planner treats a statement whose values nobody knows yet. PostgreSQL's takes the type of a value from its place, so that
 * NULL does for any, and computes constants. DuckDB's goes by the text that a run binds too, and leaves constants to
 * the run: what they are is asked for apart.
 */
const planners = {
  postgres: { unknown: null, computesConstants: true },
  duckdb: { unknown: unknownValue, computesConstants: false },
} as const satisfies Record<SqlDialect, object>;

/** For each part of a policy that faultOfPolicy finds no fault with, and each set of types that its columns have. */
export async function trialsOfPolicy(policy: RowPolicy, options: Options): Promise<readonly PolicyTrial[]> {
  const dialect = policyDialects[options.dialect];
  const parse: ParseExpression = (text, valueCount) =>
    parseExpression(text, valueCount, dialect, new Set(options.allowedFunctions));
  const { columns, mayFillNulls } = await readPredicate(policy, dialect, parse);
  const governed = tablesOf(policy, columns, new SourceCatalog(options));
  const { computesConstants, unknown } = planners[options.dialect];
  const trials: PolicyTrial[] = [];
  for (const table of withEachTypes(governed, columns)) {
    const trial = await plannedTrial({ ...policy, masks: [] }, table, ['predicate'], options);
    const values = withUnknown(trial.values, unknown);
    const hasInventedValues = mayFillNulls && values.some(({ value }) => value === null);
    trials.push({ ...trial, values, hasInventedValues });
    if (!computesConstants) trials.push(await computedPredicate(policy, table, dialect, parse));
  }
  for (const [index, mask] of policy.masks.entries()) {
    // The other kinds fit every type.
    if (mask.kind !== 'FIXED') continue;
    const path = ['masks', String(index), 'value'];
    for (const table of withEachTypes(governed, [mask.column])) {
      trials.push(
        computesConstants
          ? await plannedTrial({ ...policy, predicate: 'true', masks: [mask] }, table, path, options)
          : computedMask(mask, table, path, dialect),
      );
    }
  }
  const tried = trials.slice(0, trialsMax);
  return policy.table ? tried.map((trial) => ({ ...trial, table: undefined })) : tried;
}

function tablesOf({ table }: RowPolicy, columns: readonly string[], catalog: SourceCatalog): readonly CatalogTable[] {
  const named = table && catalog.resolve(table);
  const tables = table ? (named ? [named] : []) : [...catalog.all()];
  return tables.filter((each) => columns.every((name) => each.column(name)));
}

/** One table for each set of types that these columns have, as equal types are computed equally. */
function withEachTypes(tables: readonly CatalogTable[], columns: readonly string[]): Iterable<CatalogTable> {
  const byTypes = new Map<string, CatalogTable>();
  for (const table of tables) {
    const types = columns.map((name) => table.column(name)?.sourceType);
    const key = JSON.stringify(types);
    if (!types.includes(undefined) && !byTypes.has(key)) byTypes.set(key, table);
  }
  return byTypes.values();
}

/** The statement that a run would send for all of the table. */
async function plannedTrial(
  policy: RowPolicy,
  { schema, name }: CatalogTable,
  path: readonly string[],
  options: Options,
): Promise<PolicyTrial> {
  const alone = { ...policy, table: { schema, name }, groupNames: [], exemptGroupNames: [] };
  const policies = new SourcePolicies({ ...options, policies: [alone], maskKey: '' });
  const table = nameOf({ schema, name });
  const controlSql = `select * from ${table}`;
  const { sql, values, reach } = await policies.compile({ sql: controlSql, caller: sampleCaller(policy) });
  return { path, table, sql, values, reach, controlSql, computes: false, isCondition: false, hasInventedValues: false };
}

async function computedPredicate(
  policy: RowPolicy,
  table: CatalogTable,
  dialect: PolicyDialect,
  parse: ParseExpression,
): Promise<PolicyTrial> {
  const placeholders = new PlaceholderList(0);
  const predicate = await readPredicate(policy, dialect, parse);
  const bound = await bindPredicate(predicate, sampleCaller(policy), placeholders, (text) =>
    parse(text, Number.MAX_SAFE_INTEGER),
  );
  const values = withUnknown(placeholders.values, null);
  const hasInventedValues = predicate.mayFillNulls;
  return { path: ['predicate'], ...computed(bound.text, table), values, isCondition: true, hasInventedValues };
}

function computedMask(
  { kind, column: masked, value = null }: ColumnMask,
  table: CatalogTable,
  path: readonly string[],
  dialect: PolicyDialect,
): PolicyTrial {
  const known = table.column(masked);
  const text = known ? dialect.mask(kind, column(known.name), known, '$1') : 'null';
  return {
    path,
    ...computed(text, table),
    values: [{ type: 'text', value }],
    isCondition: false,
    hasInventedValues: false,
  };
}

/** Computes an expression once, for a row of nulls in the table's own types, of which no row is taken. */
function computed(expression: string, catalogTable: CatalogTable) {
  const table = nameOf(catalogTable);
  const noRow = `(select * from ${table} limit 0) as ${fenceAlias}`;
  const from = `from (select 1) as one left join ${noRow} on true`;
  // A line comment at the end of a predicate ends with its line.
  const sql = `select (${expression}\n) as tried ${from}`;
  return { table, sql, controlSql: `select 1 as tried ${from}`, computes: true };
}

function nameOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${quoted(schema)}.${quoted(name)}`;
}

function withUnknown(values: readonly TypedValue[], unknown: string | null): readonly TypedValue[] {
  return values.map((each) => (each.value === unknownValue ? { ...each, value: unknown } : each));
}
