import fc from 'fast-check';

/** Names that are there in the databases of the fuzzers: see proven-statements-fuzz.int-spec.ts. */
const tables = ['t', 'public.t', '"t"', 'u', 'main.t', 'T'];
const columns = ['a', 'b', '*', 'x.a', '"a"', 'ctid', 'rowid', 'oid'];
const literals = [
  '1',
  '0',
  "'x'",
  'null',
  'true',
  "'t'",
  '2.5',
  "'2026-01-01'",
  'array[1, 2]',
  "'{}'",
  "E'\\x41'",
  '$$x$$',
];
const operators = [
  '+',
  '||',
  '=',
  '<',
  'and',
  'or',
  'is distinct from',
  'like',
  '->',
  '*',
  '===',
  'operator(public.===)',
];
const types = ['int', 'text', 'date', 'jsonb', 'json', 'regclass', 'evil', 'public.evil', 'int[]', 'name'];

/** What must never come through, in ways that look as if it were something else. */
const writes = [
  'insert into t values (9)',
  'insert into t select 9 returning a',
  'update t set a = a + 1 returning a',
  'delete from t returning a',
  'merge into t using u on t.a = u.a when matched then delete',
  'truncate t',
  'drop table u',
  'create table w as select 1 as a',
  'create temp table w (a int)',
  'alter table t add column c int',
  "copy t to '/tmp/fuzz'",
  "copy (select 1) to program 'true'",
  "attach 'w.db'",
  'pragma memory_limit',
  'call writes()',
  'do $$ begin insert into t values (9); end $$',
  "set application_name = 'w'",
  "set search_path = 'w'",
  'reset all',
  'listen w',
  'notify w',
  'prepare w as insert into t values (9)',
  'execute w',
  'lock table t',
  'commit',
  'explain analyze insert into t values (9)',
  'select 1 into w',
  'select * from t for update',
  "install 'w'",
  'vacuum',
  'checkpoint',
  'declare w cursor for select 1',
  'refresh materialized view m',
  'grant all on t to public',
  'use w',
  'export database w',
];

/** Calls that are right as they are. */
const calls = [
  'lower(b)',
  'count(*)',
  'abs(a)',
  'coalesce(a, 1)',
  'length(b)',
  'max(a)',
  'concat(a, b)',
  'now()',
  "nullif(b, 'x')",
];

/** Calls that do what must not be done, if they are let through. */
const dangers = [
  ...[
    'writes()',
    'public.writes()',
    'writes(1)',
    '"writes"()',
    "nextval('s')",
    "pg_catalog.nextval('s')",
    "setval('s', 7)",
  ],
  ...["set_config('application_name', 'w', false)", 'pg_advisory_lock(1)', 'pg_try_advisory_lock(2)', 'lo_create(0)'],
  ...[
    "pg_notify('w', 'x')",
    "query_to_xml('insert into t values (9)', true, true, '')",
    'pg_current_xact_id()',
    'txid_current()',
  ],
  ...[
    "ts_stat('select writes()::text::tsvector')",
    "pg_logical_emit_message(true, 'w', 'x')",
    "query('delete from t')",
  ],
  ...[
    "json_execute_serialized_sql(json_serialize_sql('select nextval(1)'))",
    "lo_from_bytea(0, 'x')",
    'pg_export_snapshot()',
  ],
];

const functions = [
  ...[
    'writes',
    'public.writes',
    'pg_catalog.lower',
    'lower',
    'count',
    'sum',
    'coalesce',
    'concat',
    'length',
    'abs',
    'max',
  ],
  ...[
    'nextval',
    'setval',
    'currval',
    'lastval',
    'set_config',
    'current_setting',
    'pg_advisory_lock',
    'pg_try_advisory_lock',
  ],
  ...[
    'query_to_xml',
    'table_to_xml',
    'cursor_to_xml',
    'ts_stat',
    'ts_rewrite',
    'xpath',
    'lo_create',
    'lo_import',
    'lo_unlink',
  ],
  ...['pg_read_file', 'pg_ls_dir', 'pg_notify', 'pg_sleep', 'pg_terminate_backend', 'pg_reload_conf', 'txid_current'],
  ...['pg_current_xact_id', 'dblink', 'pg_logical_emit_message', 'pg_switch_wal', 'pg_create_restore_point'],
  ...['query', 'query_table', 'read_csv', 'read_text', 'glob', 'getenv', 'getvariable', 'write_log', 'duckdb_settings'],
  ...[
    'generate_series',
    'range',
    'unnest',
    'json_agg',
    'jsonb_path_query',
    'row_to_json',
    'array_agg',
    'string_agg',
    'now',
  ],
  ...['pg_stat_reset', 'pg_promote', 'brin_summarize_new_values', 'gin_clean_pending_list', 'pg_export_snapshot'],
  ...[
    'pragma_version',
    'force_checkpoint',
    'checkpoint',
    'enable_logging',
    'sql_auto_complete',
    'json_execute_serialized_sql',
  ],
];

/** One of the ways in which a name can be written that a database reads as the same. */
const spelled = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...names), fc.nat(9)).map(([name, way]) => {
    if (way > 3 || name.includes('"') || name.includes('.')) return name;
    if (way === 0) return name.toUpperCase();
    if (way === 1) return `"${name}"`;
    if (way === 2)
      return `U&"${[...name].map((each) => `\\${each.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
    return `pg_catalog.${name}`;
  });

const grammar = fc.letrec<Record<'value' | 'call' | 'from' | 'query', string>>((tie) => {
  const value = tie('value');
  const from = tie('from');
  const query = tie('query');
  const values = fc.array(value, { maxLength: 3 }).map((all) => all.join(', '));
  const clause = (word: string, of: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.option(of, { nil: undefined, freq: 2 }).map((text) => (text === undefined ? '' : ` ${word} ${text}`));
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 8, arbitrary: fc.constantFrom(...literals, ...calls, 'a', 'b', 'a', 'b') },
      { weight: 1, arbitrary: tie('call') },
      {
        weight: 2,
        arbitrary: fc.tuple(value, fc.constantFrom(...operators), value).map((parts) => `(${parts.join(' ')})`),
      },
      fc.tuple(value, fc.constantFrom(...types)).map(([of, type]) => `cast(${of} as ${type})`),
      fc.tuple(value, value, value).map(([when, then, other]) => `case when ${when} then ${then} else ${other} end`),
      query.map((text) => `(${text})`),
      query.map((text) => `exists (${text})`),
    ),
    call: fc
      .tuple(spelled(functions), values, fc.constantFrom('', '', '', ' over ()', ' filter (where true)'))
      .map(([name, list, behind]) => `${name}(${list})${behind}`),
    from: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: fc.constantFrom(...tables).map((name) => `${name} x`) },
      tie('call').map((text) => `${text} y`),
      query.map((text) => `(${text}) z`),
      fc.tuple(from, from).map(([left, right]) => `${left} cross join lateral ${right}`),
    ),
    query: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.oneof(fc.constantFrom(...columns), value),
            clause('from', from),
            clause('where', value),
            clause('order by', value),
            clause('limit', fc.constantFrom('1', '0', 'all')),
          )
          .map(([list, ...behind]) => `select ${list}${behind.join('')}`),
      },
      fc.tuple(query, query).map(([one, other]) => `(${one}) union all (${other})`),
      fc
        .tuple(fc.oneof(query, fc.constantFrom(...writes)), query)
        .map(([inner, text]) => `with w as (${inner}) ${text}`),
      values.filter((list) => list !== '').map((list) => `values (${list})`),
      fc.constantFrom('table t', 'from t', 'show search_path', 'describe t', 'summarize t'),
    ),
  };
});

const number = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom('a', '1', '2', 'abs(a)', 'length(b)', 'a + 1', '(select max(a) from u)', 'x.a * 2'),
  },
  { weight: 1, arbitrary: fc.constantFrom(...dangers) },
);
const fit = fc.constantFrom(
  '',
  'where true',
  'where a = 1',
  "where b like '%x%'",
  'where a in (select a from u)',
  'order by 1 limit 1',
);

/** A query that most likely is right, now and then with a call in it that must not be let through. */
const soundQuery = fc
  .tuple(number, fc.constantFrom('b', 'lower(b)', "b || 'x'", 'null', "'x'::text"), number, fit, fc.nat(5))
  .map(([one, text, other, rest, form]) => {
    const select = `select ${one}, ${text}, ${other} as n from t x ${rest}`;
    if (form === 0) return `with w as (${select}) select n, count(*) from w group by n`;
    if (form === 1) return `select * from (${select}) y union all (${select})`;
    if (form === 2) return `select case when a > ${other} then ${one} end from t x ${rest}`;
    return form === 3 ? `select * from t x cross join lateral (select ${one} as m) y` : select;
  });

const behind = fc.oneof(
  { weight: 12, arbitrary: fc.constant('') },
  fc.constantFrom(...writes).map((text) => `; ${text}`),
  fc.constantFrom(';', ' -- x', ' /* x */', ' for share', ' into w', ' returning a', "; select 'x'"),
);

/** Any statement: most are queries, some write, some only seem to do the one or the other. */
export const anyStatement: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(soundQuery, behind).map((parts) => parts.join('')) },
  { weight: 12, arbitrary: fc.tuple(grammar.query, behind).map(([text, more]) => `${text}${more}`) },
  fc.constantFrom(...writes),
  fc
    .tuple(fc.constantFrom('explain', 'explain analyze', 'prepare w as', 'create view w as'), grammar.query)
    .map((parts) => parts.join(' ')),
);
