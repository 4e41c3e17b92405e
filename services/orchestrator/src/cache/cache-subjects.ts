import type { RequestOf, runRequests, SavedQuery, SourceConnection } from '#libs/contracts';

interface Ingredients {
  readonly source: Pick<SourceConnection, 'id'>;
  readonly savedQuery: Pick<SavedQuery, 'id' | 'tags'> | undefined;
}

/** What a result is made of: whatever of it is invalidated makes the result old. */
export function cacheSubjects({ source, savedQuery }: Ingredients): string[] {
  return [
    sourceSubject(source.id),
    ...(savedQuery ? [querySubject(savedQuery.id), ...savedQuery.tags.map(tagSubject)] : []),
  ];
}

/** What a request to invalidate names. */
export function invalidatedSubjects(input: RequestOf<typeof runRequests.invalidateCache>): string[] {
  return [
    ...input.dataSourceIds.map(sourceSubject),
    ...input.savedQueryIds.map(querySubject),
    ...input.tags.map(tagSubject),
  ];
}

const sourceSubject = (id: string): string => `source:${id}`;
const querySubject = (id: string): string => `query:${id}`;
const tagSubject = (name: string): string => `tag:${name}`;
