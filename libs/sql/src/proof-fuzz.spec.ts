import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { proveReadOnly, type SqlDialect } from './index.js';

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

describe.each(dialects)('the proof for %s', (dialect) => {
  it('answers any text with a proof or a reason, and never breaks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.array(fragment, { maxLength: 30 })),
        async (input) => {
          const sql = typeof input === 'string' ? input : input.join(' ');
          const outcome = await proveReadOnly(dialect, sql).catch((error: unknown) => error);
          if (outcome !== undefined) {
            expect(outcome).toBeInstanceOf(AppError);
            expect((outcome as AppError).code).toMatch(/^sql\./);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses a second statement and any write, whatever stands in front of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fragment, { maxLength: 12 }), async (front) => {
        const sql = `${front.join(' ')} ; drop table t`;
        const outcome = await proveReadOnly(dialect, sql).then(
          () => 'proven',
          () => 'refused',
        );
        // Only text that makes the write a part of a comment or a string may pass, and then nothing is left of it.
        if (outcome === 'proven') expect(sql).toMatch(/--|\/\*|\$\$|'/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the proof for postgres', () => {
  it('refuses a forbidden function in every spelling and place', async () => {
    const name = fc.constantFrom('set_config', 'pg_sleep', 'query_to_xml', 'pg_read_file', 'nextval');
    const call = name.chain((each) =>
      fc
        .tuple(fc.option(spelling('pg_catalog'), { nil: undefined }), gap, spelling(each), gap)
        .map(
          ([schema, before, spelled, after]) =>
            `${schema === undefined ? '' : `${schema}${before}.${before}`}${spelled}${after}('a')`,
        ),
    );
    await fc.assert(
      fc.asyncProperty(call, fc.constantFrom(...wrappers), async (text, wrap) => {
        await expect(proveReadOnly('postgres', wrap(text))).rejects.toMatchObject({ code: 'sql.not_read_only' });
      }),
      { numRuns: 300 },
    );
  });
});
