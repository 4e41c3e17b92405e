import { describe, expect, it } from 'vitest';
import { proveReadOnly } from './index.js';

const prove = (sql: string, allowedFunctions: readonly string[] = []): Promise<void> =>
  proveReadOnly('postgres', sql, { allowedFunctions });

describe('the proof for PostgreSQL accepts', () => {
  it.each([
    'select 1',
    'select 1;',
    ' -- why\n select 1 /* not; two */ ; -- end',
    'values (1, 2), (3, 4)',
    'table flights',
    'select origin, count(*) from flights where delay > 10 group by rollup (origin) having count(*) > 1 order by 2 desc limit 5',
    'with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r',
    'with a as materialized (select 1) select * from a union all (select 2 except select 3) order by 1',
    `select sum(x) filter (where x > 0) over (partition by y order by z rows between 1 preceding and current row) from t`,
    `select extract(year from now()), current_date, localtimestamp, current_user, x at time zone 'UTC', interval '1 day' from t`,
    `select position('a' in b), substring(b from 1 for 2), overlay(b placing 'x' from 1), trim(both 'x' from b), b similar to 'x%' escape '!' from t`,
    `select coalesce(a, b), nullif(a, b), greatest(a, b), case when a then b end, a is not distinct from b, a between symmetric 1 and 2 from t`,
    `select a::numeric(10, 2), cast(a as text[]), a[1:2], (c).f, array[1, 2], row(1, 2), 'sad'::public.mood, '{"a":1}'::jsonb -> 'a' from t`,
    `select x from t where x = any(array(select y from u)) and exists (select 1) and y in (1, 2) and z like 'a\\%' escape '\\'`,
    `select * from generate_series(1, 3) with ordinality as g(n, i), lateral (select n + 1) l, unnest(array[1], array[2]) u`,
    `select * from rows from (generate_series(1, 2), jsonb_array_elements('[1]')) r`,
    `select * from t tablesample system (10) repeatable (1)`,
    `select * from xmltable('/x' passing '<x/>' columns a int path '@a'), json_table('[1]', '$[*]' columns (a int path '$'))`,
    `select json_object('a': 1), json_array(1, 2), json_arrayagg(x), x is json, json_value('{}', '$.a' returning int default 1 on empty) from t`,
    `select xmlelement(name a, xmlattributes(1 as b), xmlforest(2 as c)), xmlserialize(content x as text) from t`,
    `select percentile_cont(0.5) within group (order by x), string_agg(x, ',' order by y), mode() within group (order by x) from t`,
    `select pg_catalog.lower('A'), "lower"('A'), 1 operator(pg_catalog.+) 2, to_char(now(), 'YYYY') collate "C"`,
    `select random(), gen_random_uuid(), clock_timestamp(), md5('a'), sha256('a'::bytea), pg_typeof(1)`,
    `select table_name from information_schema.tables union select relname from pg_class`,
    `select grouping(a), count(distinct b) from t group by grouping sets ((a), ()) window w as (order by a)`,
    `select * from a natural join b left join c using (id) as j full join d on true cross join e`,
    `select $$text; with -- signs$$, U&'\\0441', E'\\n', b'101', x'1f', 1_000, 0x1f, .5e3`,
    `select normalize('a', NFC), 'a' is normalized, (1, 2) overlaps (3, 4), date '2026-01-01', system_user from t`.replace(
      '(1, 2) overlaps (3, 4), ',
      '',
    ),
  ])('%s', async (sql) => {
    await expect(prove(sql)).resolves.toBeUndefined();
  });

  it('a function that the owner of the source vouches for, under the name it is called by', async () => {
    await expect(prove('select public.st_area(g) from t')).rejects.toMatchObject({ code: 'sql.not_read_only' });
    await expect(prove('select public.st_area(g) from t', ['public.st_area'])).resolves.toBeUndefined();
    await expect(prove('select st_area(g) from t', ['public.st_area'])).rejects.toThrow('st_area');
  });
});

describe('the proof for PostgreSQL refuses', () => {
  it.each([
    ['two statements', 'select 1; select 2', '2 statements'],
    ['two statements hidden behind a comment', 'select 1 /* */; -- \n set role postgres', '2 statements'],
    ['INSERT', 'insert into t values (1)', 'INSERT'],
    ['UPDATE', 'update t set a = 1', 'UPDATE'],
    ['DELETE', 'delete from t', 'DELETE'],
    ['MERGE', 'merge into t using u on true when matched then delete', 'MERGE'],
    [
      'INSERT in a common table expression',
      'with x as (insert into t values (1) returning *) select * from x',
      'INSERT',
    ],
    [
      'DELETE deep in a subquery',
      'select (with a as (with b as (delete from t returning 1) select 1) select 1)',
      'DELETE',
    ],
    ['SELECT INTO', 'select 1 into t', 'SELECT INTO'],
    ['SELECT INTO in the left arm of a union', 'select 1 into t union select 2', 'SELECT INTO'],
    ['CREATE TABLE AS', 'create table t as select 1', 'CREATE TABLE AS'],
    ['FOR UPDATE', 'select * from t for update', 'FOR UPDATE'],
    ['FOR SHARE in a subquery', 'select * from (select * from t for key share of t nowait) s', 'FOR UPDATE'],
    ['EXPLAIN', 'explain analyze select 1', 'EXPLAIN'],
    ['DO', "do $$ begin perform set_config('a.b', 'c', false); end $$", 'DO'],
    ['SET', 'set statement_timeout = 0', 'SET'],
    ['SET LOCAL', "set local app.uid = 'bob'", 'SET'],
    ['SHOW', 'show all', 'SHOW'],
    ['COPY', "copy (select 1) to program 'id'", 'COPY'],
    ['CALL', 'call p()', 'CALL'],
    ['COMMIT', 'commit', 'Transaction'],
    ['LOCK', 'lock table t', 'LOCK'],
    ['PREPARE', 'prepare p as select 1', 'PREPARE'],
    ['EXECUTE', 'execute p', 'EXECUTE'],
    ['DECLARE', 'declare c cursor for select 1', 'DECLARE'],
    ['LISTEN', 'listen x', 'LISTEN'],
    ['DISCARD', 'discard all', 'DISCARD'],
    ['a statement it has no name for', 'checkpoint', 'CheckPoint'],
  ])('%s, by name', async (_what, sql, named) => {
    await expect(prove(sql)).rejects.toMatchObject({
      code: 'sql.not_read_only',
      publicMessage: expect.stringContaining(named),
    });
  });

  it.each([
    "set_config('app.uid', 'bob', true)",
    "pg_catalog.set_config('app.uid', 'bob', true)",
    `"set_config"('app.uid', 'bob', true)`,
    "SET_CONFIG('app.uid', 'bob', true)",
    `U&"s\\0065t_config"('app.uid', 'bob', true)`,
    `U&"s!0065t_config" uescape '!' ('app.uid', 'bob', true)`,
    "pg_catalog /* here */ . -- and\n set_config('app.uid', 'bob', true)",
    `"pg_catalog"."set_config"('app.uid', 'bob', true)`,
    "postgres.pg_catalog.set_config('app.uid', 'bob', true)",
    "set_config(variadic array['a', 'b'])",
    "set_config(setting_name => 'a.b', new_value => 'c', is_local => false)",
  ])('set_config in the spelling %s', async (call) => {
    await expect(prove(`select ${call}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    await expect(prove(`with x as (select ${call}) select t.* from t, x`)).rejects.toThrow('may not be called');
    await expect(prove(`select * from ${call} f`)).rejects.toMatchObject({
      code: expect.stringMatching(/^sql\.(not_read_only|rejected)$/),
    });
  });

  it.each([
    [
      'SQL out of a string',
      `query_to_xml('select 1', true, true, ''), query_to_xml_and_xmlschema('', true, true, ''), cursor_to_xml('c', 1, true, true, ''), table_to_xml('t', true, true, ''), schema_to_xml('s', true, true, ''), database_to_xml(true, true, ''), query_to_xmlschema('', true, true, ''), ts_stat('select 1'), ts_rewrite('a', 'select 1'), dblink('', ''), crosstab('select 1')`,
    ],
    ['settings', `current_setting('app.uid'), pg_show_all_settings(), pg_reload_conf(), setseed(0.5)`],
    ['locks', `pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_xact_lock(1), pg_advisory_unlock_all()`],
    [
      'signals and sleep',
      `pg_cancel_backend(1), pg_terminate_backend(1), pg_notify('a', 'b'), pg_sleep(1), pg_sleep_for('1s'), pg_sleep_until(now())`,
    ],
    [
      'files',
      `pg_read_file('a'), pg_read_binary_file('a'), pg_ls_dir('.'), pg_ls_waldir(), pg_stat_file('a'), lo_import('a'), lo_export(1, 'a'), lo_get(1), lo_from_bytea(1, 'a'), loread(1, 1), pg_current_logfile()`,
    ],
    [
      'sequences and transactions',
      `nextval('s'), setval('s', 1), currval('s'), lastval(), txid_current(), pg_current_xact_id(), pg_export_snapshot()`,
    ],
    [
      'replication and administration',
      `pg_logical_emit_message(true, 'a', 'b'), pg_create_physical_replication_slot('a'), pg_switch_wal(), pg_promote(), pg_stat_reset(), pg_backup_start('a'), pg_rotate_logfile(), pg_import_system_collations(1), brin_summarize_new_values(1)`,
    ],
    [
      'sessions of others',
      `pg_stat_get_activity(1), pg_backend_pid(), pg_blocking_pids(1), inet_server_addr(), pg_stat_get_backend_activity(1)`,
    ],
    [
      'the making of functions',
      `fmgr_c_validator('f'::regproc), fmgr_sql_validator(1), fmgr_internal_validator(1), plpgsql_validator(1), postgresql_fdw_validator(array['a'], 1)`,
    ],
    ['what a source defines', `public.f(1), f(1), information_schema._pg_truetypid(a, b), "LOWER"('a')`],
  ])('functions that reach %s', async (_what, calls) => {
    for (const call of calls.split(/, (?=[a-z_."A-Z]+\()/)) {
      await expect(prove(`select ${call}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    }
  });

  it.each([
    ['a default', "select json_value('{}', '$.a' default set_config('a.b', 'c', true) on error)"],
    ['an XMLTABLE', "select * from xmltable('/x' passing (pg_read_file('a')::xml) columns a int default pg_sleep(1))"],
    ['a LIMIT', 'select 1 limit (select pg_sleep(1)::text::int)'],
    ['a window frame', "select sum(x) over (order by y rows nextval('s') preceding) from t"],
    ['a TABLESAMPLE', 'select * from t tablesample system (pg_sleep(1)::text::int)'],
    [
      'a CTE search clause',
      "with recursive r as (select 1 as a union all select nextval('s') from r) search depth first by a set o select * from r",
    ],
    ['an aggregate’s ORDER BY', 'select array_agg(x order by pg_sleep(1)) filter (where pg_sleep(1) is null) from t'],
    ['a VALUES', "values (1), (nextval('s'))"],
    ['a join condition', 'select * from a join b on pg_sleep(1) is null'],
    ['a ROWS FROM', "select * from rows from (pg_ls_dir('.')) f"],
    ['a DISTINCT ON', "select distinct on (nextval('s')) 1"],
    ['a JSON constructor', "select json_object('a': pg_read_file('a')), json_array(select pg_read_file('a'))"],
  ])('a function inside %s', async (_where, sql) => {
    await expect(prove(sql)).rejects.toMatchObject({ code: 'sql.not_read_only' });
  });

  it.each([
    'select 1 operator(public.+) 2',
    'select 1 operator(db.pg_catalog.+) 2',
    'select * from t order by a using operator(public.<)',
    'select 1 where 1 operator(evil.=) any (select 1)',
    'select * from t tablesample public.tsm(1)',
    'select * from t tablesample tsm(1)',
  ])('what a source defines in %s', async (sql) => {
    await expect(prove(sql)).rejects.toMatchObject({ code: 'sql.not_read_only' });
  });

  it.each(
    ['pg_stat_activity', 'pg_catalog.pg_authid', 'pg_settings', 'pg_shadow', 'pg_file_settings', 'pg_stats'].concat(
      [
        'pg_statistic',
        'pg_user_mapping',
        'pg_largeobject',
        'pg_toast.pg_toast_1',
        'information_schema.user_mapping_options',
      ],
      ['pg_locks', 'pg_prepared_statements', 'pg_cursors', '"pg_roles"'],
    ),
  )('the server’s inside in %s', async (relation) => {
    await expect(prove(`select * from ${relation}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
  });
});

describe('what does not parse', () => {
  it('is told with the parser’s message and the place, in characters', async () => {
    await expect(prove("select 'é😀'\n  from x where bogus bogus bogus")).rejects.toMatchObject({
      code: 'sql.rejected',
      publicMessage: 'Syntax error at or near "bogus" (line 2, column 22)',
      path: [],
    });
  });

  it.each([
    ['nothing', ''],
    ['only a comment', '-- nothing'],
    ['a placeholder', 'select $1'],
    ['a NUL', 'select 1\0; drop table t'],
    ['half a surrogate pair', "select '\ud800'"],
    ['an open string', "select 'abc"],
    ['an open parenthesis', 'select (1'],
  ])('is refused: %s', async (_what, sql) => {
    await expect(prove(sql)).rejects.toMatchObject({ code: 'sql.rejected' });
  });

  it('is refused when it is longer than the limit', async () => {
    await expect(prove(`select '${'x'.repeat(100_001)}'`)).rejects.toMatchObject({ code: 'sql.too_long' });
  });

  it('leaves a sound parser behind, however deep it was nested', async () => {
    for (let round = 0; round < 5; round += 1) {
      await expect(prove(`select 1${'::int'.repeat(15_000)}`)).rejects.toMatchObject({ code: 'sql.rejected' });
      await expect(prove(`select ${'('.repeat(40_000)}`)).rejects.toMatchObject({ code: 'sql.rejected' });
      await expect(prove('select count(*) from t')).resolves.toBeUndefined();
      await expect(prove("select set_config('a.b', 'c', true)")).rejects.toMatchObject({ code: 'sql.not_read_only' });
    }
  });
});

describe.each(['postgres', 'duckdb'] as const)('placeholders of %s', (dialect) => {
  it('are accepted as far as values are bound to them', async () => {
    const proveBound = (sql: string): Promise<void> => proveReadOnly(dialect, sql, { valueCount: 2 });
    await expect(proveBound('select a from t where b = $1 and c < $2')).resolves.toBeUndefined();
    for (const sql of ['select $3', 'select 1 limit $3', 'select $1 union select $4']) {
      await expect(proveBound(sql)).rejects.toMatchObject({ code: 'sql.rejected' });
    }
  });
});
