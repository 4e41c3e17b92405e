import { AppError } from '#libs/kernel';
import { duckdbPolicyDialect } from '../policy/duckdb-policy-dialect.js';
import { quoted } from '../policy/fence.js';
import type { PolicyDialect, Reference } from '../policy/policy-dialect.js';
import { postgresPolicyDialect } from '../policy/postgres-policy-dialect.js';
import type { TableName } from '../policy/policy-types.js';
import { spliceFences } from '../policy/splice.js';
import { isSameTree } from '../policy/syntax-tree.js';
import type { SqlDialect } from '../prove-read-only.js';
import { assertProvableText } from '../sql-text.js';

export interface SampleOptions {
  readonly rows: number;
  /** Row policies may come into the statement: then it is their rows that are sampled, not those of the table. */
  readonly mayBeGoverned: boolean;
  /** Whether the source takes a sample of it. Asked of PostgreSQL alone, which takes none of views and foreign tables. */
  readonly isSamplable: (table: TableName) => Promise<boolean>;
}

/** The name of the sampled table, by which a statement with a sample is known. */
const sampleAlias = 'sluice_sample';

/** By the text, as DuckDB's tree does not say it. */
const neverMaterialized = /\bnot\s+materialized\b/i;

const dialects: Readonly<Record<SqlDialect, PolicyDialect>> = {
  postgres: postgresPolicyDialect,
  duckdb: duckdbPolicyDialect,
};

/**
 * The statement over a sample of the one table that it reads, taken by the source. What reads several has no sample that
 * would be one of its answer: of two tables the pairs are lost. The sample is a subquery in the table's place, and the text is
 * proven to be the statement with exactly that replaced, as with row policies.
 * @throws AppError run.sample_unsound at `limits.sampleRows`
 */
export async function sampleStatement(dialect: SqlDialect, sql: string, options: SampleOptions): Promise<string> {
  assertProvableText(sql);
  const grammar = dialects[dialect];
  const [statement, ...others] = await grammar.parse(sql);
  // Whoever proves the statement says what is the matter.
  if (!statement || others.length > 0) return sql;
  const references = grammar.references(statement);
  const [reference] = references;
  if (!reference || references.length > 1) {
    throw unsound(`A sample is taken of a query that reads one table, once; this one reads ${references.length}.`);
  }
  if (reference.refusal !== undefined) throw unsound('The query takes a sample of its own.');
  if (neverMaterialized.test(sql)) {
    throw unsound(
      'A common table expression that is NOT MATERIALIZED may be read twice, and be sampled anew each time.',
    );
  }
  // What is sampled behind policies is a subquery.
  const needsTable = dialect === 'postgres' && !options.mayBeGoverned;
  if (needsTable && !(await options.isSamplable(reference))) {
    throw unsound(`The source takes no sample of ${nameOf(reference)}, which is a view or a foreign table.`);
  }
  const text = sampleText[dialect](reference, options);
  const [sample] = await grammar.parse(text);
  if (!sample) throw new Error('a sample does not parse');
  const sampled = spliceFences(sql, new Map([[reference, text]]));
  const [actual, ...more] = await grammar.parse(sampled);
  const replaced = new Map([[reference.node, grammar.fenced(reference, sample)]]);
  if (more.length > 0 || !isSameTree(statement, actual, replaced)) {
    throw unsound('The table stands where no sample can be taken of it.');
  }
  return sampled;
}

/** Whether a statement was made by sampleStatement. */
export function isSampled(sql: string): boolean {
  return sql.includes(sampleAlias);
}

const sampleText: Readonly<
  Record<SqlDialect, (reference: Reference, options: Pick<SampleOptions, 'rows' | 'mayBeGoverned'>) => string>
> = {
  // How many rows of a TABLESAMPLE are left behind a policy would tell how many it hides.
  postgres: (reference, { rows, mayBeGoverned }) => {
    const from = `select ${sampleAlias}.* from ${reference.isOnly ? 'only ' : ''}${nameOf(reference)} as ${sampleAlias}`;
    if (mayBeGoverned) return `${from} order by random() limit ${rows}`;
    return `${from} tablesample bernoulli (${percentageOf(reference, rows)})`;
  },
  duckdb: (reference, { rows }) =>
    `select ${sampleAlias}.* from ${nameOf(reference)} as ${sampleAlias} tablesample reservoir(${rows} rows)`,
};

/** The source reckons it from its own count, so that the text stays the same; a table never analysed is read whole. */
function percentageOf(reference: Reference, rows: number): string {
  const name = `'${nameOf(reference).replaceAll("'", "''")}'::pg_catalog.regclass`;
  const count = `select c.reltuples from pg_catalog.pg_class as c where c.oid = ${name}`;
  return `least(100, 100.0 * ${rows} / greatest(1, (${count})))`;
}

function nameOf({ catalog, schema, name }: Reference): string {
  return [catalog, schema, name].flatMap((part) => (part === undefined ? [] : [quoted(part)])).join('.');
}

function unsound(message: string): AppError {
  return new AppError('run.sample_unsound', message, { path: ['limits', 'sampleRows'] });
}
