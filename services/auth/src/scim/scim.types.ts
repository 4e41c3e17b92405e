import type { ScimUser } from '#libs/contracts';

export type UserFields = NonNullable<ScimUser['fields']>;

export interface ScimPage {
  readonly filter: string | undefined;
  /** From 1. */
  readonly startIndex: number;
  readonly count: number;
}

/** Members in one change of a group, as the bodies of requests are bounded too. */
export const memberIdsMax = 20_000;
const countMax = 200;

/** RFC 7644, 3.4.2.4: what is below the least is the least, and no more than there may be are given. */
export function toScimPage({
  filter,
  startIndex,
  count,
}: {
  filter?: string;
  startIndex: number;
  count: number;
}): ScimPage {
  return {
    filter: filter === undefined || filter.trim() === '' ? undefined : filter,
    startIndex: Math.max(1, startIndex),
    count: Math.min(countMax, Math.max(0, count)),
  };
}
