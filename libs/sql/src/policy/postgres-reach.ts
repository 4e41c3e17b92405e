import type { ReachPremises, ReadRelation } from './policy-types.js';

/** To be run in the same transaction as the statement, before it. */
export interface ReachCheck {
  readonly sql: string;
  readonly values: readonly (readonly (string | null)[])[];
}

/** A row of the check's answer: what a relation turned out to be, and one relation that its rows come from. */
export interface ReachRow {
  /** The relation's place in ReachPremises.relations, from 1. */
  readonly place: number;
  readonly schema: string;
  readonly name: string;
  readonly reached_schema: string | null;
  readonly reached_name: string | null;
  /** A function in a view that may read what it likes. */
  readonly function_name: string | null;
}

/**
 * One query over the catalogs: each relation as the session's own search path resolves it, and every relation that
 * its rows come from, through views and materialized views, down to partitions and children (which a parent shows)
 * and up to parents (whose rows a partition holds). `reads` turns to false on the way up: of a parent, no other
 * child is read.
 */
const reachQuery = `
  with recursive named as (
    select place, pg_catalog.to_regclass(
             case when written_schema is null then '' else pg_catalog.quote_ident(written_schema) || '.' end
             || pg_catalog.quote_ident(name)) as relation
      from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))
           with ordinality as listed (written_schema, name, place)
  ), reached as (
    select place, relation::oid as relation, true as reads from named where relation is not null
     union
    select reached.place, next.relation, next.reads
      from reached cross join lateral (
        select depend.refobjid as relation, true as reads
          from pg_catalog.pg_rewrite rule
          join pg_catalog.pg_depend depend
            on depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and depend.objid = rule.oid
           and depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
         where rule.ev_class = reached.relation and reached.reads
         union all
        select inhrelid, true from pg_catalog.pg_inherits where inhparent = reached.relation and reached.reads
         union all
        select inhparent, false from pg_catalog.pg_inherits where inhrelid = reached.relation
      ) next
  ), functions as (
    select distinct reached.place, proc.proname
      from reached
      join pg_catalog.pg_rewrite rule on rule.ev_class = reached.relation and reached.reads
      join pg_catalog.pg_depend depend
        on depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and depend.objid = rule.oid
       and depend.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      join pg_catalog.pg_proc proc on proc.oid = depend.refobjid
      join pg_catalog.pg_language language on language.oid = proc.prolang
     where language.lanname not in ('internal', 'c')
  )
  select named.place::int as place, own_schema.nspname::text as schema, own.relname::text as name,
         reached_schema.nspname::text as reached_schema, other.relname::text as reached_name,
         null::text as function_name
    from named
    join pg_catalog.pg_class own on own.oid = named.relation
    join pg_catalog.pg_namespace own_schema on own_schema.oid = own.relnamespace
    join (select distinct place, relation from reached) via on via.place = named.place
    join pg_catalog.pg_class other on other.oid = via.relation
    join pg_catalog.pg_namespace reached_schema on reached_schema.oid = other.relnamespace
   union all
  select named.place::int, own_schema.nspname::text, own.relname::text, null, null, functions.proname::text
    from functions
    join named on named.place = functions.place
    join pg_catalog.pg_class own on own.oid = named.relation
    join pg_catalog.pg_namespace own_schema on own_schema.oid = own.relnamespace`;

export function postgresReachCheck({ relations }: ReachPremises): ReachCheck {
  const schemas = relations.map(({ writtenSchema }) => writtenSchema ?? null);
  return { sql: reachQuery, values: [schemas, relations.map(({ name }) => name)] };
}

/**
 * Why the statement must not run, for the log; undefined where it may. A relation may show the rows of a governed
 * table only under at least the policies that govern that table.
 */
export function postgresReachFault(
  { relations, governed }: ReachPremises,
  rows: readonly ReachRow[],
): string | undefined {
  const policiesOf = new Map(governed.map((table) => [keyOf(table.schema, table.name), table.policyIds]));
  const found = new Set<number>();
  for (const row of rows) {
    const relation = relations[row.place - 1];
    if (!relation) return 'The check answered for a relation that it was not asked for.';
    found.add(row.place);
    const fault = faultOf(relation, row, policiesOf);
    if (fault !== undefined) return fault;
  }
  const absent = relations.find((_relation, index) => !found.has(index + 1));
  return absent && `${absent.name} is not there any more.`;
}

function faultOf(
  relation: ReadRelation,
  row: ReachRow,
  policiesOf: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  const own = `${row.schema}.${row.name}`;
  if (row.schema !== relation.schema || row.name !== relation.name) {
    return `${relation.name} is ${own} at the source, and not in ${relation.schema ?? 'no schema'}.`;
  }
  if (row.function_name !== null) return `${own} calls ${row.function_name}, which may read any table.`;
  const needed = policiesOf.get(keyOf(row.reached_schema ?? undefined, row.reached_name ?? '')) ?? [];
  if (needed.every((id) => relation.policyIds.includes(id))) return undefined;
  return `${own} shows rows of ${row.reached_schema}.${row.reached_name}, which other policies govern.`;
}

function keyOf(schema: string | undefined, name: string): string {
  return JSON.stringify([schema, name]);
}
