import type { RequestOf, runRequests, SavedQuery, SourceConnection, WarmUp } from '#libs/contracts';
import type { TableName } from '#libs/sql';
import { anyTable, invalidatedTableSubjects, tableSubjects } from './table-subjects.js';

interface Ingredients {
  readonly source: Pick<SourceConnection, 'id' | 'type'>;
  readonly savedQuery: Pick<SavedQuery, 'id' | 'tags'> | undefined;
  readonly tables: readonly TableName[];
}

/** What a result is made of: whatever of it is invalidated makes the result old. */
export function cacheSubjects({ source, savedQuery, tables }: Ingredients): string[] {
  return [sourceSubject(source.id), ...querySubjects(savedQuery), ...tableSubjects(source, tables)];
}

/** Of those what does not follow from source and statement: only results that share it are invalidated together. */
export function querySubjects(savedQuery: Ingredients['savedQuery']): string[] {
  return savedQuery ? [querySubject(savedQuery.id), ...savedQuery.tags.map(tagSubject)] : [];
}

/** What a request to invalidate names. */
export function invalidatedSubjects(input: RequestOf<typeof runRequests.invalidateCache>): string[] {
  return [
    ...input.dataSourceIds.map(sourceSubject),
    ...input.savedQueryIds.map(querySubject),
    ...input.tags.map(tagSubject),
    ...input.tables.flatMap(({ dataSourceId, table }) => (table ? invalidatedTableSubjects(dataSourceId, table) : [])),
  ];
}

/** Of what is invalidated, as far as saved queries are concerned: which of them read a table is seen when they are run. */
export function warmUpSubjects(subjects: readonly string[]): string[] {
  return subjects.filter((subject) => !subject.startsWith('table:'));
}

/** Whether a saved query may stand on something of what is invalidated. */
export function concerns(
  { savedQueryId, dataSourceId, tags }: Pick<WarmUp, 'savedQueryId' | 'dataSourceId' | 'tags'>,
  subjects: ReadonlySet<string>,
): boolean {
  const own = [
    sourceSubject(dataSourceId),
    anyTable(dataSourceId),
    querySubject(savedQueryId),
    ...tags.map(tagSubject),
  ];
  return own.some((subject) => subjects.has(subject));
}

const sourceSubject = (id: string): string => `source:${id}`;
const querySubject = (id: string): string => `query:${id}`;
/** In the one form in which saved queries keep their tags. */
const tagSubject = (name: string): string =>
  `tag:${name.normalize('NFC').trim().replaceAll(/\s+/g, ' ').toLowerCase()}`;
