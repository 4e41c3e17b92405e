import { SourcePolicies, type PolicyCaller, type RowPolicy, type SourcePoliciesOptions } from '../src/index.js';

export const text = (value: string): { type: 'text'; value: string } => ({ type: 'text', value });

export const aPolicy = (overrides: Partial<RowPolicy> = {}): RowPolicy => ({
  id: 'pol_1',
  table: { name: 'flights' },
  groupNames: [],
  exemptGroupNames: [],
  key: null,
  predicate: 'region = {{ user.region }}',
  masks: [],
  ...overrides,
});

export const aCaller = (overrides: Partial<PolicyCaller> = {}): PolicyCaller => ({
  id: 'usr_1',
  email: 'ann@example.org',
  groupNames: [],
  attributes: { region: text('EU') },
  ...overrides,
});

const columns = ['id', 'region', 'delay', 'secret'].map((name) => ({
  name,
  sourceType: name === 'id' || name === 'delay' ? 'integer' : 'varchar',
}));

/** flights (governed by default) and airports in the default schema, other.flights in another. */
export const somePolicies = (overrides: Partial<SourcePoliciesOptions> = {}): SourcePolicies => {
  const schema = overrides.dialect === 'duckdb' ? 'main' : 'public';
  return new SourcePolicies({
    dialect: 'postgres',
    policies: [aPolicy()],
    tables: [
      { schema, name: 'flights', columns },
      { schema, name: 'airports', columns: columns.slice(0, 1) },
      { schema: 'other', name: 'flights', columns },
      { schema, name: 'Odd "name', columns },
    ],
    searchPath: [schema],
    catalog: 'air',
    maskKey: 'key',
    ...overrides,
  });
};

/** The fence of flights in its default form, as `<flights>`; so that a test shows what is around it. */
export const shortened = (sql: string): string =>
  sql.replaceAll(
    /\(select sluice_row\.\* from "(?:public|main)"\."flights" as sluice_row where \(\(sluice_row\.region = \$\d+\n\)\) offset 0\)/g,
    '<flights>',
  );
