import { combinePolicies } from './applicable-policies.js';
import { column, type FencePlan, type ProvenExpression } from './fence.js';
import type { PlaceholderList } from './placeholder-list.js';
import type { PolicyDialect } from './policy-dialect.js';
import type { ColumnMask, PolicyCaller, RowPolicy, TypedValue } from './policy-types.js';
import { bindPredicate, type Predicate } from './predicate.js';
import type { CatalogTable } from './source-catalog.js';

export interface PlannedFence extends FencePlan {
  readonly policyIds: readonly string[];
  /** Those whose predicate is `false`, as a value is absent. */
  readonly closedPolicyIds: readonly string[];
}

export interface FenceInput {
  readonly table: CatalogTable;
  readonly isOnly: boolean;
  readonly policies: readonly RowPolicy[];
  readonly caller: PolicyCaller | undefined;
  readonly placeholders: PlaceholderList;
  readonly maskKey: string;
  readonly dialect: PolicyDialect;
  readonly predicateOf: (policy: RowPolicy) => Promise<Predicate>;
  readonly parse: (text: string) => Promise<unknown>;
}

/** What a caller may see of one table: the predicates joined by their keys, and the masks of all of them. */
export async function planFence(input: FenceInput): Promise<PlannedFence> {
  const { table, isOnly, policies, caller, placeholders, predicateOf, parse } = input;
  const closedPolicyIds: string[] = [];
  const conditions: ProvenExpression[][] = [];
  for (const group of combinePolicies(policies)) {
    const condition: ProvenExpression[] = [];
    for (const policy of group) {
      const bound = await bindPredicate(await predicateOf(policy), caller, placeholders, parse);
      if (bound.isClosed) closedPolicyIds.push(policy.id);
      condition.push(bound);
    }
    conditions.push(condition);
  }
  const masks = await maskColumns(input);
  return { table, isOnly, conditions, masks, policyIds: policies.map(({ id }) => id), closedPolicyIds };
}

async function maskColumns(input: FenceInput): Promise<Map<string, ProvenExpression>> {
  const { table, policies, placeholders, maskKey, dialect, parse } = input;
  const masks = new Map<string, ProvenExpression>();
  for (const [name, mask] of strictestMasks(table, policies)) {
    const known = table.column(name);
    if (!known) continue;
    const bound = boundBy(mask, maskKey);
    const placeholder = bound === undefined ? '' : placeholders.add(bound);
    const text = dialect.mask(mask.kind, column(name), known, placeholder);
    masks.set(name, { text, tree: await parse(text) });
  }
  return masks;
}

function boundBy({ kind, value = null }: ColumnMask, maskKey: string): TypedValue | undefined {
  switch (kind) {
    case 'HASH':
      return { type: 'text', value: maskKey, isSecret: true };
    case 'FIXED':
      return { type: 'text', value };
    case 'NULL':
      return undefined;
  }
}

const strictness = { HASH: 0, FIXED: 1, NULL: 2 } as const;

/** A mask holds whichever policy asks for it; of two on one column the one that tells less, of two fixed values none. */
function strictestMasks(table: CatalogTable, policies: readonly RowPolicy[]): ReadonlyMap<string, ColumnMask> {
  const masks = new Map<string, ColumnMask>();
  for (const mask of policies.flatMap((policy) => policy.masks)) {
    const name = table.column(mask.column)?.name;
    if (name === undefined) continue;
    const other = masks.get(name);
    masks.set(name, other ? stricter(other, mask) : mask);
  }
  return new Map([...masks].sort(([left], [right]) => (left < right ? -1 : 1)));
}

function stricter(left: ColumnMask, right: ColumnMask): ColumnMask {
  if (left.kind === 'FIXED' && right.kind === 'FIXED' && left.value !== right.value) {
    return { column: left.column, kind: 'NULL' };
  }
  return strictness[right.kind] > strictness[left.kind] ? right : left;
}
