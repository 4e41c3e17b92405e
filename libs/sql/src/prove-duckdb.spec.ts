import { describe, expect, it } from 'vitest';
import { proveReadOnly } from './index.js';

const prove = (sql: string, allowedFunctions: readonly string[] = []): Promise<void> =>
  proveReadOnly('duckdb', sql, { allowedFunctions });

describe('the proof for DuckDB accepts', () => {
  it.each([
    'select 1;',
    'from flights',
    'values (1), (2)',
    'select origin, count(*) c from flights where delay > 10 group by all having c > 1 order by all limit 5',
    'with a as (select 1 x), b(y) as (values (2)) select * from a, b union all by name select 3',
    'with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r',
    "select [x + 1 for x in [1, 2] if x > 1], {'a': 1}.a, map {1: 2}, list_transform([1], lambda x: x + 1)",
    "select * exclude (a) replace (upper(b) as b), columns('c.*') from t",
    'select a, row_number() over w from t window w as (partition by b order by c) qualify row_number() over w = 1',
    "select date_trunc('month', d), extract(year from d), d + interval 1 day, current_date, strftime(d, '%Y') from t",
    'select * from range(10) r(n) join generate_series(1, 3) g(n) using (n), unnest([1, 2]) u',
    'select * from t pivot (sum(x) for y in (1, 2))',
    'select * from t unpivot (a for b in (c, d))',
    'select * from t tablesample 10%',
    'select * from t asof join u on t.a >= u.a positional join v',
    'select x::decimal(3, 2), try_cast(y as integer), z::struct(a int, b varchar[]), e::my_enum from t',
    "select a->'b', a->>'$.c', json_extract(a, '$.d'), a[1:2], a.b.c from t",
    'select quantile_cont(x, 0.5), approx_count_distinct(y), arg_max(a, b), histogram(c), mode(d) filter (where e) from t',
    'select first_value(a) over (order by b), lag(a, 1) over (order by b), ntile(4) over (order by b) from t',
    "select regexp_extract(a, 'x(.)', 1), a similar to 'b', a not ilike 'c', a glob 'd', 'a' || b, a ** 2, a // 2 from t",
    'select grouping(a), count() from t group by cube (a, b)',
    'select exists (from t), 1 = any ([1]), 1 in (select 2), (select max(a) from t)',
    'select table_name from information_schema.tables',
  ])('%s', async (sql) => {
    await expect(prove(sql)).resolves.toBeUndefined();
  });

  it('a macro that the owner of the source vouches for', async () => {
    await expect(prove('select fare_class(x) from t')).rejects.toMatchObject({ code: 'sql.not_read_only' });
    await expect(prove('select fare_class(x) from t', ['fare_class'])).resolves.toBeUndefined();
  });
});

describe('the proof for DuckDB refuses', () => {
  it.each([
    ['two statements', 'select 1; select 2', '2 statements'],
    ['INSERT', 'insert into t values (1)', 'INSERT'],
    ['UPDATE', '/* x */ update t set a = 1', 'UPDATE'],
    [
      'a writing common table expression',
      'with x as (insert into t values (1) returning a) select * from x',
      'common table',
    ],
    ['SELECT INTO', 'select 1 into t', 'SELECT INTO'],
    ['FOR UPDATE', 'select * from t for update', 'FOR UPDATE'],
    ['CREATE', 'create table t as select 1', 'CREATE'],
    ['COPY', "copy t to 'x.csv'", 'COPY'],
    ['ATTACH', "attach 'x.db'", 'ATTACH'],
    ['INSTALL', 'install httpfs', 'INSTALL'],
    ['LOAD', 'load httpfs', 'LOAD'],
    ['SET', "set memory_limit = '1TB'", 'SET'],
    ['RESET', 'reset memory_limit', 'RESET'],
    ['PRAGMA', 'pragma database_list', 'PRAGMA'],
    ['CALL', 'call pragma_version()', 'CALL'],
    ['EXPORT', "export database 'x'", 'EXPORT'],
    ['EXPLAIN', 'explain analyze select 1', 'EXPLAIN'],
    ['EXECUTE', 'execute p', 'EXECUTE'],
    ['CHECKPOINT', 'checkpoint', 'CHECKPOINT'],
    ['DESCRIBE', 'describe t', 'DESCRIBE'],
    ['SUMMARIZE', 'summarize t', 'DESCRIBE'],
    ['SHOW', 'show all tables', 'DESCRIBE'],
    ['DESCRIBE in a subquery', 'select * from (describe t)', 'DESCRIBE'],
    ['PIVOT that makes a type', 'pivot t on a using sum(b)', 'PIVOT'],
    ['PIVOT that makes a type, in a subquery', 'select * from (pivot t on a using sum(b))', 'More than one SELECT'],
  ])('%s, by name', async (_what, sql, named) => {
    await expect(prove(sql)).rejects.toMatchObject({
      code: 'sql.not_read_only',
      publicMessage: expect.stringContaining(named),
    });
  });

  it.each([
    ...[
      "read_csv('/etc/passwd')",
      "read_csv_auto('x')",
      "read_parquet('x')",
      "parquet_scan('x')",
      "read_text('/etc/passwd')",
    ],
    ...["read_blob('x')", "read_json('x')", "read_ndjson_objects('x')", "glob('/etc/*')", "parquet_metadata('x')"],
    ...[
      "sniff_csv('x')",
      "query('drop table t')",
      "query_table('t')",
      "json_execute_serialized_sql('{}')",
      'duckdb_secrets()',
    ],
    ...['duckdb_settings()', 'duckdb_logs()', 'duckdb_views()', 'pragma_database_size()', "which_secret('a', 'b')"],
    ...[
      'enable_logging()',
      'checkpoint()',
      'force_checkpoint()',
      'seq_scan(1)',
      'arrow_scan(1, 2, 3)',
      "read_duckdb('x')",
    ],
    ...[
      "SYSTEM.main.READ_TEXT('x')",
      `"Read_Text"('x')`,
      "histogram('t', x)",
      "sql_auto_complete('s')",
      "pragma_table_info('t')",
    ],
  ])('the table function %s', async (call) => {
    await expect(prove(`select * from ${call}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    await expect(prove(`with a as (select * from b, lateral (from ${call})) from a`)).rejects.toThrow(
      'may not be called',
    );
  });

  it.each([
    ...[
      "getenv('HOME')",
      `"GetEnv"('HOME')`,
      "system.main.getenv('HOME')",
      "('HOME').getenv()",
      "current_setting('threads')",
    ],
    ...["getvariable('x')", "nextval('s')", 'setseed(0.5)', 'current_query()', "write_log('x')", 'txid_current()'],
    ...["json_serialize_sql('select 1')", 'pg_sleep(1)', 'sleep_ms(1)', 'unknown_function(1)'],
  ])('the function %s, wherever it stands', async (call) => {
    for (const sql of [
      `select ${call}`,
      `with a as (select ${call}) from a`,
      `select * replace (${call} as a) from t`,
      `from range(${call})`,
      `from t order by ${call}`,
      `select 1 limit (select ${call})`,
      `select sum(a) over (partition by ${call}) from t`,
      `select list_transform([1], lambda x: ${call})`,
      `from t join u on ${call}`,
      `select columns(lambda c: ${call}) from t`,
      `select case when true then ${call} end`,
    ]) {
      await expect(prove(sql)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    }
  });

  it.each([
    ...[
      "'/etc/passwd'",
      "'data.csv'",
      '"x.parquet"',
      "'s3://b/k'",
      "'http://h/x.json'",
      'data.csv',
      'a.b.parquet',
      "'*.csv'",
    ],
    ...['duckdb_settings', 'duckdb_logs', 'sqlite_master', 'pg_catalog.pg_views', 'information_schema.views'],
    ...['system.main.tables', "'C:\\x'"],
  ])('the relation %s', async (relation) => {
    await expect(prove(`select * from ${relation}`)).rejects.toMatchObject({ code: 'sql.not_read_only' });
  });
});

describe('what does not parse for DuckDB', () => {
  it('is told with the parser’s message and the place, in characters', async () => {
    await expect(prove("select 'é'\n from where")).rejects.toMatchObject({
      code: 'sql.rejected',
      publicMessage: expect.stringMatching(/^Syntax error at or near "where" \(line 2, column 7\)$/),
    });
  });

  it.each([
    ['nothing', ''],
    ['a placeholder', 'select $1, ?'],
    ['a named placeholder', 'select $name'],
    ['an open string', "select 'a"],
    ['too deep', `select ${'f('.repeat(10_000)}`],
    ['a grammar’s own refusal', 'select x between symmetric 1 and 2'],
  ])('is refused: %s', async (_what, sql) => {
    await expect(prove(sql)).rejects.toMatchObject({ code: 'sql.rejected' });
  });

  it('never mixes up statements that are proven at once', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => prove(index % 2 === 0 ? 'select 1' : "select getenv('x')")),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? 'fulfilled' : 'rejected')),
    );
  });
});
