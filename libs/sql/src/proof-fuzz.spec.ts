import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { proveReadOnly, type SqlDialect } from './index.js';

/** 100,000 in the nightly run. */
const cases = Number(process.env['SLUICE_FUZZ_CASES'] ?? 2_000);
const timeoutMs = 60_000 + cases * 20;
/** What one proof may take of the processor; a clock on the wall would tell of other processes too. */
const hangMs = 100;

const dialects: readonly SqlDialect[] = ['postgres', 'duckdb'];

const fragment = fc.constantFrom(
  ...[
    'select',
    'from',
    'with',
    'as',
    '(',
    ')',
    ',',
    '*',
    ';',
    't',
    '"t"',
    "'x'",
    '$$',
    '--',
    '/*',
    '*/',
    '\n',
    'union',
    'into',
  ],
  ...[
    'insert into t values (1)',
    'returning',
    'for update',
    'set_config',
    'U&"s\\0065t_config"',
    'pg_catalog.',
    'getenv',
  ],
  ...[
    '::',
    'int',
    '[',
    ']',
    '{',
    '}',
    'order by',
    'limit',
    'lateral',
    'values',
    'table',
    'case when',
    'end',
    "E'\\",
    "''",
  ],
);

/** Spells an identifier in one of the ways that PostgreSQL reads as the same name. */
const spelling = (name: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    name,
    name.toUpperCase(),
    `"${name}"`,
    `U&"${[...name].map((character) => `\\${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
    `U&"${[...name].map((character) => `\\+${character.charCodeAt(0).toString(16).padStart(6, '0')}`).join('')}"`,
  );
const gap = fc.constantFrom('', ' ', '\n', '/**/', '/* /* nested */ */', '-- x\n');

const wrappers: readonly ((call: string) => string)[] = [
  (call) => `select ${call}`,
  (call) => `select 1 where (${call}) is null`,
  (call) => `with a as (select 1), b as (select (select ${call})) select * from a, b`,
  (call) => `select * from t left join lateral (select ${call}) s on true`,
  (call) => `select array[row(1, case when true then ${call} end)]`,
  (call) => `select 1 union all (select 2 intersect select 3) order by (select ${call}) limit 1`,
];

/** `proven`, the code of the refusal, `hung`, or whatever else was thrown. */
async function verdictOf(dialect: SqlDialect, sql: string): Promise<unknown> {
  const before = process.threadCpuUsage();
  const hasHung = (): boolean => {
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1_000 > hangMs;
  };
  try {
    await proveReadOnly(dialect, sql);
    return hasHung() ? 'hung' : 'proven';
  } catch (error) {
    if (hasHung()) return 'hung';
    return error instanceof AppError ? error.code : error;
  }
}

const verdicts: readonly unknown[] = ['proven', 'sql.not_read_only', 'sql.rejected'];

describe.each(dialects)('the proof for %s', { timeout: timeoutMs }, (dialect) => {
  // The first loads the parser.
  beforeAll(() => proveReadOnly(dialect, 'select 1'));

  it('answers any text with a proof or a reason, and never breaks', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fragment, { maxLength: 30 }).map((fragments) => fragments.join(' ')),
    );
    const property = fc.asyncProperty(text, async (sql) => verdicts.includes(await verdictOf(dialect, sql)));
    expect((await fc.check(property, { numRuns: cases })).counterexample).toBeNull();
  });

  it('refuses a second statement that writes, whatever stands in front of it', async () => {
    // What opens a comment or a string may swallow the second statement, and nothing of it is then left to run.
    const front = fc.array(fragment, { maxLength: 12 }).map((fragments) => fragments.join(' '));
    const property = fc.asyncProperty(
      front.filter((text) => !/--|\/\*|\$\$|'|"/.test(text)),
      async (text) => (await verdictOf(dialect, `${text} ; drop table t`)) !== 'proven',
    );
    expect((await fc.check(property, { numRuns: cases })).counterexample).toBeNull();
  });
});

describe('the proof for postgres', { timeout: timeoutMs }, () => {
  it('refuses a forbidden function in every spelling and place', async () => {
    const name = fc.constantFrom('set_config', 'pg_sleep', 'query_to_xml', 'pg_read_file', 'nextval');
    const schema = fc.tuple(spelling('pg_catalog'), gap).map(([spelled, space]) => `${spelled}${space}.${space}`);
    const call = name.chain((each) =>
      fc
        .tuple(fc.oneof(fc.constant(''), schema), spelling(each), gap)
        .map(([before, spelled, after]) => `${before}${spelled}${after}('a')`),
    );
    const property = fc.asyncProperty(
      call,
      fc.constantFrom(...wrappers),
      async (text, wrap) => (await verdictOf('postgres', wrap(text))) === 'sql.not_read_only',
    );
    expect((await fc.check(property, { numRuns: cases })).counterexample).toBeNull();
  });
});
