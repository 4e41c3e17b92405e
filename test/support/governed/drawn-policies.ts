import fc from 'fast-check';
import { tableNames, trueRows, type Row, type TableName, type Tables } from './governed-tables.js';

/** Random policies and people, and a judge of what people may see, which shares nothing with the product. */
export interface DrawnPerson {
  readonly groupNames: readonly string[];
  readonly attributes: { readonly region?: string; readonly regions?: readonly string[]; readonly floor?: number };
}

type MaskedColumn = 'region' | 'amount' | 'secret';

interface Mask {
  readonly column: MaskedColumn;
  readonly kind: 'NULL' | 'FIXED' | 'HASH';
  readonly value?: string;
}

interface Rule {
  readonly predicate: string;
  /** Undefined: an attribute is absent. */
  readonly holds: (row: Row, person: DrawnPerson) => boolean | undefined;
}

export interface DrawnPolicy {
  readonly rule: Rule;
  readonly input: {
    readonly table: { readonly name: TableName } | null;
    readonly groupNames: readonly string[];
    readonly exemptGroupNames: readonly string[];
    readonly key: string | null;
    readonly masks: readonly Mask[];
  };
}

const groups = ['governed sales', 'governed support'];

const ruleOfRegion = (holds: (region: string | null, own: string) => boolean): Rule['holds'] => {
  return ({ region }, { attributes }) =>
    attributes.region === undefined ? undefined : holds(region, attributes.region);
};

/** By what people are, which is what keeps their answers apart. */
const personalRules: readonly Rule[] = [
  { predicate: 'region = {{ user.region }}', holds: ruleOfRegion((region, own) => region === own) },
  {
    predicate: 'not (region = {{ user.region }}) -- not theirs',
    holds: ruleOfRegion((region, own) => region !== null && region !== own),
  },
  {
    predicate: 'region in ({{ user.regions }})',
    holds: ({ region }, { attributes: { regions } }) => regions && region !== null && regions.includes(region),
  },
  {
    predicate: 'amount >= {{ user.floor }}',
    holds: ({ amount }, { attributes: { floor } }) => (floor === undefined ? undefined : Number(amount) >= floor),
  },
  {
    predicate: `'${groups[0]}' in ({{ user.groups }})`,
    holds: (_row, { groupNames }) => groupNames.includes(groups[0] ?? ''),
  },
];

const rules: readonly Rule[] = [
  {
    predicate: 'region is null or amount % 2 = 0',
    holds: ({ region, amount }) => region === null || Number(amount) % 2 === 0,
  },
  { predicate: "region <> 'EU' and id > 2", holds: ({ region, id }) => region !== null && region !== 'EU' && id > 2 },
  { predicate: 'true', holds: () => true },
];

const fixedValues = { region: 'EU', amount: '7', secret: 'masked' } as const;

// A hash makes its column text; one of numbers would be another query's type error.
const mask: fc.Arbitrary<Mask> = fc.oneof(
  fc.record({ column: fc.constantFrom('region', 'secret'), kind: fc.constant('HASH') }),
  fc.record({ column: fc.constantFrom('region', 'amount', 'secret'), kind: fc.constant('NULL') }),
  fc
    .constantFrom('region' as const, 'amount' as const, 'secret' as const)
    .map((column) => ({ column, kind: 'FIXED' as const, value: fixedValues[column] })),
);

export const drawnPolicy: fc.Arbitrary<DrawnPolicy> = fc.record({
  rule: fc
    .oneof({ weight: 3, arbitrary: fc.constantFrom(...personalRules) }, fc.constantFrom(...rules))
    .map((rule) => ({ ...rule, [fc.toStringMethod]: () => rule.predicate })),
  input: fc.record({
    table: fc.constantFrom(null, ...tableNames.map((name) => ({ name }))),
    groupNames: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray(groups)),
    exemptGroupNames: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray(groups)),
    // Many that narrow would leave nothing to tell people apart by.
    key: fc.constantFrom(null, 'a', 'a', 'a', 'b'),
    masks: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      fc.uniqueArray(mask, { selector: ({ column }) => column, maxLength: 2 }),
    ),
  }),
});

export const drawnPerson: fc.Arbitrary<DrawnPerson> = fc.record({
  groupNames: fc.subarray(groups),
  attributes: fc.record(
    {
      region: fc.constantFrom('EU', 'US', "o'x"),
      regions: fc.subarray(['EU', 'US', 'ASIA']),
      floor: fc.integer({ min: 1, max: 5 }),
    },
    { requiredKeys: [] },
  ),
});

/** Whether the policy is one for this person and table. */
export function applies({ input }: DrawnPolicy, { groupNames }: DrawnPerson, table: TableName): boolean {
  if (input.table !== null && input.table.name !== table) return false;
  if (input.exemptGroupNames.some((group) => groupNames.includes(group))) return false;
  return input.groupNames.length === 0 || input.groupNames.some((group) => groupNames.includes(group));
}

/** What the person may see of each table, as they may see it. */
export function visibleTables(policies: readonly DrawnPolicy[], person: DrawnPerson): Tables {
  const visible = (table: TableName): Row[] => {
    const applying = policies.filter((policy) => applies(policy, person, table));
    return trueRows[table].filter((row) => isVisible(applying, person, row)).map((row) => masked(applying, row));
  };
  return { governed_orders: visible('governed_orders'), governed_returns: visible('governed_returns') };
}

/** Policies of one key widen each other, those of different keys narrow, and one without a key has one of its own. */
function isVisible(applying: readonly DrawnPolicy[], person: DrawnPerson, row: Row): boolean {
  const keyOf = ({ input }: DrawnPolicy, index: number): string | number => input.key ?? index;
  return [...new Set(applying.map(keyOf))].every((key) =>
    applying.some((policy, index) => keyOf(policy, index) === key && policy.rule.holds(row, person) === true),
  );
}

/** Of several masks on a column the one that tells least holds. What is hashed is told by its value, as the key is not to be had. */
function masked(applying: readonly DrawnPolicy[], row: Row): Row {
  const masks = applying.flatMap(({ input }) => input.masks);
  const kindOf = (column: MaskedColumn): Mask['kind'] | undefined =>
    (['NULL', 'FIXED', 'HASH'] as const).find((kind) =>
      masks.some((each) => each.column === column && each.kind === kind),
    );
  const textOf = (column: 'region' | 'secret'): string | null => {
    const kind = kindOf(column);
    if (kind === undefined || (kind === 'HASH' && row[column] === null)) return row[column];
    return { NULL: null, FIXED: fixedValues[column], HASH: `hash of ${row[column]}` }[kind];
  };
  const amountKind = kindOf('amount');
  const amount = amountKind === undefined ? row.amount : amountKind === 'FIXED' ? Number(fixedValues.amount) : null;
  return { ...row, amount, region: textOf('region'), secret: textOf('secret') };
}
