import { AppError } from '#libs/kernel';
import { quoted } from './fence.js';
import type { KnownTable, RowPolicy } from './policy-types.js';
import { sampleCaller } from './sample-caller.js';
import { SourceCatalog } from './source-catalog.js';
import { SourcePolicies, type SourcePoliciesOptions } from './source-policies.js';

type Options = Omit<SourcePoliciesOptions, 'policies' | 'maskKey'>;

export interface PolicyFault {
  /** The part at fault, as a path into the policy. */
  readonly path: readonly string[];
  /** In words for its author. */
  readonly message: string;
}

/** Why a policy cannot be enforced on a source; undefined where it can. */
export async function faultOfPolicy(policy: RowPolicy, options: Options): Promise<PolicyFault | undefined> {
  const message = await reasonAgainst(policy, options);
  return message === undefined ? undefined : { path: await partAtFault(policy, options), message };
}

/** All parts are compiled together: at fault is the one without which there would be none. */
async function partAtFault(policy: RowPolicy, options: Options): Promise<readonly string[]> {
  if (policy.table && !new SourceCatalog(options).resolve(policy.table)) return ['table'];
  if (await reasonAgainst({ ...policy, masks: [] }, options)) return ['predicate'];
  for (const [index, mask] of policy.masks.entries()) {
    if (await reasonAgainst({ ...policy, masks: [mask] }, options)) return ['masks', String(index)];
  }
  return ['masks'];
}

async function reasonAgainst(policy: RowPolicy, options: Options): Promise<string | undefined> {
  const everyone = { ...policy, groupNames: [], exemptGroupNames: [] };
  const policies = new SourcePolicies({ ...options, policies: [everyone], maskKey: '' });
  try {
    const caller = sampleCaller(policy);
    const fitting = policy.table ? [policy.table] : fittingTables(policy, options.tables);
    let isGoverning = false;
    for (const { schema, name } of fitting) {
      const table = schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}`;
      const { reach } = await policies.compile({ sql: `select * from ${table}`, caller });
      isGoverning ||= reach !== undefined && reach.governed.length > 0;
    }
    // One that governs nothing would be taken for one that does.
    if (!isGoverning) return 'No known table has all columns that the predicate names.';
    const fixedWithoutValue = policy.masks.find(({ kind, value }) => kind === 'FIXED' && value === undefined);
    return fixedWithoutValue && `The mask of ${fixedWithoutValue.column} has no value to show.`;
  } catch (error) {
    if (error instanceof AppError && error.code.startsWith('sql.')) return error.message;
    throw error;
  }
}

/** One table is enough to read the predicate; those that have a masked column try the mask too. */
function fittingTables({ masks }: RowPolicy, tables: readonly KnownTable[]): readonly KnownTable[] {
  const masked = masks.flatMap(
    ({ column }) => tables.find(({ columns }) => columns.some(({ name }) => name === column)) ?? [],
  );
  return [...masked, ...tables].slice(0, masked.length + 1);
}
