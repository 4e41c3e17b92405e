import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { ColumnMask, PolicyCaller, RowPolicy } from '../src/index.js';

/** Random policies, callers, rows and queries, with a judge of visible rows that shares nothing with the compiler. */
export interface Row {
  readonly id: number;
  readonly region: string | null;
  readonly amount: number;
  readonly secret: string;
}

export interface PolicyCase {
  readonly policies: readonly RowPolicy[];
  readonly caller: PolicyCaller;
  readonly tables: Readonly<Record<string, { readonly all: readonly Row[]; readonly visible: readonly VisibleRow[] }>>;
  /** With `@.` where a table may be named with its schema. */
  readonly queries: readonly string[];
}

export type VisibleRow = Readonly<Record<keyof Row, string | number | null>>;

export const maskKey = 'key of the tests';
export const tableNames = ['t1', 't2', 't3'] as const;

interface Judged {
  readonly predicate: string;
  /** Undefined: an attribute is absent. */
  readonly holds: (row: Pick<Row, 'id' | 'region'>, caller: PolicyCaller) => boolean | undefined;
}

const attribute = (caller: PolicyCaller, name: string): string[] | undefined => {
  const value = caller.attributes[name];
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? value : [value]).map((each: { value: string | null }) => String(each.value));
};

const judged: readonly Judged[] = [
  {
    predicate: 'region = {{ user.region }}',
    holds: ({ region }, caller) => {
      const own = attribute(caller, 'region')?.[0];
      return own === undefined ? undefined : region === own;
    },
  },
  {
    predicate: 'lower(region) in ({{ user.regions }}) -- lists',
    holds: ({ region }, caller) => {
      const own = attribute(caller, 'regions');
      return own === undefined ? undefined : region !== null && own.includes(region.toLowerCase());
    },
  },
  { predicate: 'id % 2 = 0 or region is null', holds: ({ id, region }) => id % 2 === 0 || region === null },
  { predicate: "region <> 'EU' and id > 2", holds: ({ id, region }) => region !== null && region !== 'EU' && id > 2 },
  { predicate: 'true', holds: () => true },
];

const groups = ['sales', 'support'];
const text = (value: string): { type: 'text'; value: string } => ({ type: 'text', value });

const callers: fc.Arbitrary<PolicyCaller> = fc.record({
  id: fc.constant('usr_1'),
  email: fc.constant('a@b.c'),
  groupNames: fc.subarray(groups),
  attributes: fc
    .record(
      {
        region: fc.constantFrom('EU', 'US', "o'x").map(text),
        regions: fc.subarray(['eu', 'us', 'asia']).map((values) => values.map(text)),
      },
      { requiredKeys: [] },
    )
    .map((attributes) => attributes),
});

const masks: fc.Arbitrary<readonly ColumnMask[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  fc.uniqueArray(
    fc.oneof(
      fc.record({ column: fc.constantFrom('region', 'amount', 'secret'), kind: fc.constantFrom('NULL', 'HASH') }),
      fc.constantFrom(
        { column: 'region', kind: 'FIXED' as const, value: 'EU' },
        { column: 'amount', kind: 'FIXED' as const, value: '7' },
        { column: 'secret', kind: 'FIXED' as const, value: '11' },
      ),
    ),
    { selector: ({ column }) => column, maxLength: 2 },
  ),
);

interface DrawnPolicy {
  readonly policy: Omit<RowPolicy, 'id' | 'predicate'>;
  readonly rule: Judged;
}

const drawnPolicy: fc.Arbitrary<DrawnPolicy> = fc.record({
  rule: fc.constantFrom(...judged),
  policy: fc.record({
    table: fc.constantFrom(null, { name: 't1' }, { name: 't1' }, { name: 't2' }),
    groupNames: fc.subarray(groups),
    exemptGroupNames: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray(groups)),
    key: fc.constantFrom(null, 'a', 'b'),
    masks,
  }),
});

const rows = fc.array(
  fc.record({ id: fc.integer({ min: 1, max: 9 }), region: fc.constantFrom('EU', 'US', 'ASIA', null) }),
  { maxLength: 8 },
);

/** As the contract words it, by hand. */
function judge(
  drawn: readonly DrawnPolicy[],
  caller: PolicyCaller,
  table: string,
  row: Pick<Row, 'id' | 'region'>,
): boolean {
  const applying = drawn.filter(({ policy }) => applies(policy, caller, table));
  const keys = new Set(applying.map(({ policy }, index) => policy.key ?? index));
  return [...keys].every((key) =>
    applying.some(({ policy, rule }, index) => (policy.key ?? index) === key && rule.holds(row, caller) === true),
  );
}

function applies(
  { table, groupNames, exemptGroupNames }: DrawnPolicy['policy'],
  caller: PolicyCaller,
  name: string,
): boolean {
  if (table !== null && table.name !== name) return false;
  if (exemptGroupNames.some((group) => caller.groupNames.includes(group))) return false;
  return groupNames.length === 0 || groupNames.some((group) => caller.groupNames.includes(group));
}

function masked(drawn: readonly DrawnPolicy[], caller: PolicyCaller, table: string, row: Row): VisibleRow {
  const visible: Record<keyof Row, string | number | null> = { ...row };
  for (const column of ['region', 'amount', 'secret'] as const) {
    const own = drawn
      .filter(({ policy }) => applies(policy, caller, table))
      .flatMap(({ policy }) => policy.masks.filter((mask) => mask.column === column));
    if (own.length === 0) continue;
    const fixed = own.filter(({ kind }) => kind === 'FIXED');
    const value = row[column];
    if (own.some(({ kind }) => kind === 'NULL')) visible[column] = null;
    else if (fixed.length > 0)
      visible[column] = column === 'amount' ? Number(fixed[0]?.value) : String(fixed[0]?.value);
    else if (value !== null)
      visible[column] = createHash('sha256')
        .update(maskKey + String(value))
        .digest('hex');
  }
  return visible;
}

/** The columns whose type a mask makes text. */
export function hashedColumns({ policies, caller }: PolicyCase, table: string): readonly string[] {
  const own = policies.filter((policy) => applies(policy, caller, table)).flatMap((policy) => policy.masks);
  return ['amount'].filter(
    (column) =>
      own.some((mask) => mask.column === column) && own.every((mask) => mask.column !== column || mask.kind === 'HASH'),
  );
}

/** What is hidden divides by zero and is no number: whatever looks at it fails, and tells. */
export const policyCases = (queries: fc.Arbitrary<string>): fc.Arbitrary<PolicyCase> =>
  fc
    .record({
      drawn: fc.array(drawnPolicy, { minLength: 1, maxLength: 4 }),
      caller: callers,
      rows: fc.tuple(rows, rows, rows),
      queries: fc.array(queries, { minLength: 3, maxLength: 3 }),
    })
    .map(({ drawn, caller, rows: drawnRows, queries: texts }) => {
      const tables = tableNames.map((table, place) => {
        const all = (drawnRows[place] ?? []).map((row, index): Row => {
          const isVisible = judge(drawn, caller, table, row);
          return { ...row, amount: isVisible ? index + 1 : 0, secret: isVisible ? String(index + 10) : `hid-${index}` };
        });
        const visible = all.filter((row) => judge(drawn, caller, table, row));
        return [table, { all, visible: visible.map((row) => masked(drawn, caller, table, row)) }] as const;
      });
      const policies = drawn.map(({ policy, rule }, index) => ({
        ...policy,
        id: `p${index}`,
        predicate: rule.predicate,
      }));
      return { policies, caller, tables: Object.fromEntries(tables), queries: texts };
    });
