import { describe, expect, it } from 'vitest';
import { aCaller, aPolicy, somePolicies, text } from '../../test/policy-builders.js';
import { faultOfPolicy } from '../index.js';
import type { SqlDialect } from '../prove-read-only.js';

const dialects: readonly SqlDialect[] = ['postgres', 'duckdb'];

describe.each(dialects)('a predicate for %s', (dialect) => {
  const run = (predicate: string, attributes = {}): Promise<{ sql: string }> =>
    somePolicies({ dialect, policies: [aPolicy({ predicate })] }).compile({
      sql: 'select * from flights',
      caller: aCaller({ attributes: { region: text('EU'), ...attributes } }),
    });

  it.each([
    'x) or (true',
    'region = {{ user.region }}) or (true',
    'true)) offset 0) f, (select * from flights where ((true',
    'region = {{ user.region }}; select 1',
    'region = {{ user.region }};',
    'true from flights',
    'true as x',
    'true, false',
    'true union select true',
    'true order by 1',
    'true limit 1',
    '*',
    '',
    '/* open',
    "'open",
    'exists (select 1 from airports)',
    'id in (select id from airports)',
    'delay > (select 1)',
    'nothing = 1',
    'flights.region = 1',
    'sluice_row.region = 1',
    'ctid is not null',
    'row_number() over () = 1',
    'sum(distinct id) > 1',
    '$1 = region',
    'region = {{ user.region }} or $1 = $1',
    "region = '{{ user.region }}'",
    'region = {{ region }}',
    'region = {{ user.region | upper }}',
    '{% if true %} true {% endif %}',
    '"{{ user.region }}" = 1',
  ])('is refused as %s', async (predicate) => {
    await expect(run(predicate)).rejects.toMatchObject({
      code: 'sql.rejected',
      publicMessage: 'This statement cannot be run under the row policies of its data source.',
    });
  });

  it('is refused for a function that is not known to only compute', async () => {
    const call = dialect === 'postgres' ? "current_setting('app.x') = region" : "getenv('HOME') = region";
    await expect(run(call)).rejects.toMatchObject({ code: 'sql.rejected' });
    const fault = await faultOfPolicy(aPolicy({ predicate: call }), {
      dialect,
      tables: [{ schema: 'main', name: 'flights', columns: [{ name: 'region', sourceType: 'varchar' }] }],
      searchPath: ['main'],
    });
    expect(fault?.message).toContain('may not be called');
  });

  it('may end in a comment, and holds each column under the fence’s own name', async () => {
    const { sql } = await run(`"region" like 'é%' and DELAY between 1 and /* x */ id -- done`);
    expect(sql).toContain(
      `((sluice_row."region" like 'é%' and sluice_row.DELAY between 1 and /* x */ sluice_row.id -- done\n)) offset 0`,
    );
  });

  it('binds lists between parentheses, and nothing is in an empty one', async () => {
    const regions = [text('EU'), text('US'), text('EU')];
    expect((await run('region in ({{ user.regions }})', { regions })).sql).toContain(
      'sluice_row.region in ($1, $2, $3)',
    );
    expect((await run('region in ({{ user.regions }})', { regions: [] })).sql).toContain('sluice_row.region in (null)');
  });

  it('takes user.id, user.email and user.groups from the identity, whatever attributes are called so', async () => {
    const policies = somePolicies({
      dialect,
      policies: [aPolicy({ predicate: 'region in ({{ user.groups }}, {{user.id}}, {{ user.email }})' })],
    });
    const caller = aCaller({
      groupNames: ['a', 'b'],
      attributes: { id: text('x'), email: text('x'), groups: text('x') },
    });
    const { values } = await policies.compile({ sql: 'select * from flights', caller });
    expect(values.map(({ value }) => value)).toEqual(['a', 'b', 'usr_1', 'ann@example.org']);
  });

  it('never holds a value in its text', async () => {
    const { sql } = await run('region = {{ user.region }}', { region: text(`x') or (true --`) });
    expect(sql).not.toContain('or');
  });
});

describe('the fault of a policy', () => {
  const options = {
    dialect: 'postgres' as const,
    tables: [{ schema: 'public', name: 'flights', columns: [{ name: 'region', sourceType: 'text' }] }],
    searchPath: ['public'],
  };
  const known = { column: 'region', kind: 'NULL' as const };

  it('is none where it can be enforced, whatever the caller will bring', async () => {
    const masks = [{ column: 'region', kind: 'FIXED' as const, value: 'x' }];
    await expect(faultOfPolicy(aPolicy({ masks }), options)).resolves.toBeUndefined();
    await expect(faultOfPolicy(aPolicy({ table: null }), options)).resolves.toBeUndefined();
  });

  it.each([
    ['an unknown table', { table: { name: 'nowhere' } }, 'The table "nowhere" is not known.', ['table']],
    ['an unknown column', { predicate: 'nothing = 1' }, 'The table "flights" has no column "nothing".', ['predicate']],
    ['an unknown column of a mask', { masks: [known, { ...known, column: 'x' }] }, 'no column "x"', ['masks', '1']],
    ['a fixed mask without a value', { masks: [{ ...known, kind: 'FIXED' as const }] }, 'no value', ['masks', '0']],
    ['a predicate that does not parse', { predicate: 'region =', masks: [known] }, 'end of input', ['predicate']],
    ['a subquery', { predicate: 'exists (select 1)' }, 'SubLink', ['predicate']],
  ])('names %s, and the part at fault', async (_what, overrides, reason, path) => {
    const fault = await faultOfPolicy(aPolicy(overrides), options);
    expect(fault).toEqual({ path, message: expect.stringContaining(reason) });
  });
});
