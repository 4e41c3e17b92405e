import { describe, expect, it } from 'vitest';
import { migrationFaults } from './migration-faults.js';
import { serviceMigrations, statementsOf } from './service-migrations.js';

/** Those before were never released beside another. */
const baseline = 1_796_000_000_000;

const faults = (statement: string, more: object = {}): Promise<string[]> =>
  migrationFaults({ statements: [statement], ...more });

describe('A migration while the release before runs on', () => {
  it.each([
    ['drop table s.t', /drops a TABLE/],
    ['drop function s.f(text)', /drops a FUNCTION/],
    ['alter table s.t drop column c', /drops the column c/],
    ['alter table s.t rename column c to d', /renames/],
    ['alter table s.t rename to u', /renames/],
    ['alter table s.t alter column c type bigint', /rewrites the table/],
    ['alter table s.t alter column c set not null', /not valid/],
    ['alter table s.t add column c text not null', /has no default/],
    ['alter table s.t add column c uuid default gen_random_uuid()', /differs from row to row/],
    ['alter table s.t add column c text generated always as (d) stored', /rewrites the table/],
    ['alter table s.t add column c text unique', /locked/],
    ['alter table s.t add check (c > 0)', /not valid/],
    ['alter table s.t add foreign key (c) references s.u', /not valid/],
    ['alter table s.t add unique (c)', /locked/],
    ['create index i on s.t (c)', /concurrently/],
    ['create index concurrently i on s.t (c)', /transaction = false/],
    ['update s.t set c = 1', /in batches/],
    ['delete from s.t where c', /in batches/],
    ['truncate s.t', /locks/],
    ['vacuum full s.t', /rewrites/],
  ])('may not: %s', async (statement, reason) => {
    expect(await faults(statement)).toEqual([expect.stringMatching(reason)]);
  });

  it.each([
    'create table s.t (id text primary key, c text not null)',
    'alter table s.t add column c text',
    `alter table s.t add column c text not null default 'x'`,
    'alter table s.t add column c timestamptz not null default now()',
    'alter table s.t add check (c > 0) not valid',
    'alter table s.t add foreign key (c) references s.u not valid',
    'alter table s.t validate constraint k',
    'alter table s.t alter column c drop not null',
    'create or replace function s.f() returns int language sql as $$ select 1 $$',
    'insert into s.t values (1)',
    'drop index s.i',
    'analyze s.t',
  ])('may: %s', async (statement) => {
    expect(await faults(statement)).toEqual([]);
  });

  it('may do anything with a table that it has created itself', async () => {
    const statements = ['create table s.t (c integer); create index i on s.t (c)', 'alter table s.t add unique (c)'];
    expect(await migrationFaults({ statements })).toEqual([]);
  });

  it('may put a table in the place of another', async () => {
    const statements = ['alter table s.t rename to t_first; create table s.t (c integer) partition by range (c)'];
    expect(await migrationFaults({ statements })).toEqual([]);
  });

  it('may build an index concurrently outside of a transaction', async () => {
    expect(await faults('create index concurrently i on s.t (c)', { transaction: false })).toEqual([]);
  });

  it('may take away what was needed last by a release that it names', async () => {
    expect(await faults('alter table s.t drop column c', { contracts: '1.4' })).toEqual([]);
  });
});

describe('The migrations of the services since the baseline', () => {
  it('keep to that', async () => {
    const migrations = await serviceMigrations();
    expect(migrations.length).toBeGreaterThan(30);
    for (const each of migrations.filter(({ timestamp }) => timestamp >= baseline)) {
      const { transaction, contracts } = each.migration;
      const found = await migrationFaults({ statements: await statementsOf(each), transaction, contracts });
      expect(found, `${each.service} ${each.name}`).toEqual([]);
    }
  });

  it('would be seen: earlier ones, which were written before the rule, do not', async () => {
    const earlier = (await serviceMigrations()).filter(({ timestamp }) => timestamp < baseline);
    const found = await Promise.all(
      // Some of them speak more than SQL.
      earlier.map(async (each) =>
        statementsOf(each).then(
          (statements) => migrationFaults({ statements }),
          () => [],
        ),
      ),
    );
    expect(found.flat().length).toBeGreaterThan(3);
  });
});
