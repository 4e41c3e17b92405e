import { describe, expect, it } from 'vitest';
import { SourcePolicies, type PolicyCaller } from '#libs/sql';
import { GovernedStatements } from './governed-statements.js';

const newPolicies = (predicate = 'region = {{ user.region }}') =>
  new SourcePolicies({
    dialect: 'postgres',
    policies: [
      { id: 'p', table: { name: 't' }, groupNames: ['g'], exemptGroupNames: [], key: null, predicate, masks: [] },
    ],
    tables: [{ schema: 'public', name: 't', columns: [{ name: 'region', sourceType: 'text' }] }],
    searchPath: ['public'],
    maskKey: 'k',
  });
const caller = (region: string | null, groupNames = ['g']): PolicyCaller => ({
  ...{ id: 'usr_1', email: 'ann@example.org', groupNames },
  attributes: { region: { type: 'text', value: region } },
});
const sql = 'select * from t';

describe('a statement with policies inside of it', () => {
  const governed = new GovernedStatements();

  it('is kept for an equal question of an equal caller', async () => {
    const policies = newPolicies();
    const one = await governed.compile(policies, { sql, caller: caller('EU') });
    expect(await governed.compile(policies, { sql, caller: caller('EU') })).toBe(one);
    expect(await policies.compile({ sql, caller: caller('EU') })).toEqual(one);
  });

  it('is never another’s: each caller, text and set of policies has what would be compiled for it', async () => {
    const callers = [caller('EU'), caller('US'), caller(null), caller('EU', []), undefined];
    const all = [newPolicies(), newPolicies(), newPolicies("region = 'x'")];
    for (let time = 0; time < 2; time += 1) {
      for (const policies of all) {
        for (const each of callers) {
          for (const text of [sql, `${sql} a`]) {
            const input = { sql: text, caller: each };
            expect(await governed.compile(policies, input)).toEqual(await policies.compile(input));
          }
        }
      }
    }
  });

  it('that is refused is refused again', async () => {
    const input = { sql: 'delete from t', caller: caller('EU') };
    const policies = newPolicies();
    for (let time = 0; time < 2; time += 1) {
      await expect(governed.compile(policies, input)).rejects.toMatchObject({ code: 'sql.not_read_only' });
    }
  });
});
