import type { PageArgs, PageInfo } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

export interface ListArgs {
  readonly first: number;
  readonly after?: string | null;
}

/** The same of a list that is searched. */
export interface SearchArgs extends ListArgs {
  readonly search?: string | null;
}

const firstMax = 100;

/** A list's arguments as services take them; they check the cursor. */
export function pageArgs({ first, after }: ListArgs): PageArgs {
  if (first < 1 || first > firstMax) throw invalidInput(`first must be from 1 to ${firstMax}`, 'first');
  return { first, after: after ?? undefined };
}

export interface Connection<T> {
  readonly edges: readonly { readonly cursor: string; readonly node: T }[];
  readonly nodes: readonly T[];
  readonly pageInfo: PageInfo;
  readonly totalCount: number | null;
}

/** A service's page as a Relay connection. */
export function toConnection<T>(
  nodes: readonly T[],
  page: { readonly cursors: readonly string[]; readonly pageInfo?: PageInfo; readonly totalCount?: number },
): Connection<T> {
  const { cursors, pageInfo, totalCount } = page;
  if (!pageInfo || cursors.length !== nodes.length) throw new Error('a page came without its cursors');
  return {
    edges: nodes.map((node, index) => ({ cursor: cursors[index] ?? '', node })),
    nodes,
    pageInfo,
    totalCount: totalCount ?? null,
  };
}
