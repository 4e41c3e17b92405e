import { createHash } from 'node:crypto';
import { z } from 'zod';
import { setting } from './setting.js';

/** For which workspaces something new is on: so many percent of them, or some by id. */
export type FlagRule = { readonly percent: number } | { readonly workspaceIds: readonly string[] };

interface Flag {
  readonly variable: string;
  readonly describe: string;
  /** Who decides when it goes. */
  readonly owner: string;
  /** Then the flag is taken out of the code; a test fails from that day on. */
  readonly removeBy: string;
  readonly default: string;
}

/** Every flag that there is. */
export const flags = {
  keptAnswers: {
    variable: 'SLUICE_FLAG_KEPT_ANSWERS',
    describe: 'Answers of repeated hits are kept as text (decision 0021).',
    owner: 'gateway',
    removeBy: '2027-06-30',
    default: '100%',
  },
} as const satisfies Readonly<Record<string, Flag>>;

/** `25%`, or ids of workspaces with commas between; nothing is nobody. */
const ruleText = z.string().transform((text, context): FlagRule => {
  const percent = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) };
  const workspaceIds = text
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
  if (workspaceIds.every((id) => /^wsp_[A-Za-z0-9]+$/.test(id))) return { workspaceIds };
  context.addIssue({
    code: 'custom',
    message: 'must be a percentage such as 25% or ids of workspaces such as wsp_a,wsp_b',
  });
  return z.NEVER;
});

/** The setting of a flag, which holds at once when it changes. */
export function flagSetting(name: keyof typeof flags) {
  const { variable, describe, owner, removeBy, default: given } = flags[name];
  const text = `${describe} For how many percent of workspaces, such as 25%, or for which, by id. Owner: ${owner}; goes by ${removeBy}.`;
  return setting(variable, ruleText, { default: given, describe: text, live: true });
}

/** Whether a flag is on for a workspace: always the same ones at the same percentage, and more of them at a greater. */
export function isFlagOn(name: keyof typeof flags, rule: FlagRule, workspaceId: string): boolean {
  if ('workspaceIds' in rule) return rule.workspaceIds.includes(workspaceId);
  if (rule.percent >= 100) return true;
  const hash = createHash('sha256').update(`${name}/${workspaceId}`).digest();
  return hash.readUInt32BE(0) / 2 ** 32 < rule.percent / 100;
}
