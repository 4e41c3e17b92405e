/** What of a list a caller reaches; see WorkspaceAccess. */
export interface ReachedAssets {
  readonly reach?: { readonly dataSourceIds: readonly string[]; readonly savedQueryIds: readonly string[] } | undefined;
  readonly closedSourceIds: readonly string[];
  readonly closedQueryIds: readonly string[];
  readonly openQueryIds: readonly string[];
  readonly belowRunSourceIds: readonly string[];
  readonly restrictedQueryIds: readonly string[];
}

interface Columns {
  readonly source: string;
  /** Absent where the rows are of sources alone; its values may be null. */
  readonly query?: string;
}

/**
 * The condition that a row must satisfy to be reached. @param bind takes a list of ids and gives the place of it in the
 * statement
 */
export function accessCondition(
  { reach, closedSourceIds, closedQueryIds, openQueryIds, belowRunSourceIds, restrictedQueryIds }: ReachedAssets,
  { source, query }: Columns,
  bind: (ids: readonly string[]) => string,
): string {
  const isQueryAmong = (ids: readonly string[]): string =>
    query === undefined || ids.length === 0 ? 'false' : `coalesce(${query} = any (${bind(ids)}), false)`;
  const isSourceAmong = (ids: readonly string[]): string =>
    ids.length === 0 ? 'false' : `${source} = any (${bind(ids)})`;
  const isInReach = reach ? `(${isSourceAmong(reach.dataSourceIds)} or ${isQueryAmong(reach.savedQueryIds)})` : 'true';
  const isOpen = `(not ${isSourceAmong(closedSourceIds)} or ${isQueryAmong(openQueryIds)})`;
  const needsOpen = `(${isSourceAmong(belowRunSourceIds)} and ${isQueryAmong(restrictedQueryIds)})`;
  const isLetIn = `(not ${needsOpen} or ${isQueryAmong(openQueryIds)})`;
  return `(${isInReach} and ${isOpen} and ${isLetIn} and not ${isQueryAmong(closedQueryIds)})`;
}
