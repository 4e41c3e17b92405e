import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf, ResponseOf, SavedQuery } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { newId } from '#libs/kernel';
import type { Caller } from '../caller.js';
import { Issues } from '../input/issues.js';
import { checkTags } from '../input/tags.js';
import { checkIds, checkSearch, keyOf } from '../input/text.js';
import { parseNewSavedQuery, parseSavedQueryChange } from './saved-query.input.js';
import { SavedQueryRepository } from './saved-query.repository.js';
import { toShownQuery } from './to-saved-query.js';

/** Saved queries of a workspace. */
@Injectable()
export class SavedQueryService {
  constructor(private readonly queries: SavedQueryRepository) {}

  /** Those that exist in the caller's workspace; none for who may neither see nor run them. */
  async get(ids: readonly string[], caller: Caller): Promise<SavedQuery[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    const { workspaceId, permissions } = caller;
    const isKnown = permissions.has('saved_query.read') || permissions.has('saved_query.run');
    if (ids.length === 0 || !isKnown) return [];
    return (await this.queries.find(workspaceId, ids)).map((row) => toShownQuery(row, caller));
  }

  /** Alphabetical. */
  async list(
    input: RequestOf<typeof metadataRequests.listSavedQueries>,
    caller: Caller,
  ): Promise<ResponseOf<typeof metadataRequests.listSavedQueries>> {
    const { workspaceId } = caller;
    const issues = new Issues();
    const search = checkSearch(input.search, issues);
    const tags = checkTags(input.tags, issues).toSorted();
    issues.throwIfAny();
    const filters = { workspaceId, search: search ?? null, tags };
    const page = parsePage(input.page, 'savedQueries', filters, ['string', 'string']);
    const { rows, totalCount } = await this.queries.list({ workspaceId, search, tags }, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, (row) => [row.nameKey, row.id]);
    return { savedQueries: shown.map((row) => toShownQuery(row, caller)), cursors, pageInfo, totalCount };
  }

  async create(input: RequestOf<typeof metadataRequests.createSavedQuery>, caller: Caller): Promise<SavedQuery> {
    const { workspaceId, userId } = caller;
    const query = parseNewSavedQuery(input);
    const row = await this.queries.insert({
      id: newId('savedQuery'),
      workspaceId,
      ...query,
      ...keysOf(query),
      createdById: userId,
      updatedById: userId,
    });
    return toShownQuery(row, caller);
  }

  async update(input: RequestOf<typeof metadataRequests.updateSavedQuery>, caller: Caller): Promise<SavedQuery> {
    const { workspaceId, userId } = caller;
    const { name, description, sql, parameters, tags, cacheTtlSeconds, warmUp } = parseSavedQueryChange(input);
    const row = await this.queries.update({ workspaceId, id: input.id }, input.version, (current) => {
      const next = {
        name: name ?? current.name,
        description: description === undefined ? current.description : description,
        sql: sql ?? current.sql,
        parameters: parameters ?? current.parameters,
        tags: tags ?? current.tags,
        warmUp: warmUp ?? current.warmUp,
        cacheTtlSeconds: cacheTtlSeconds === undefined ? current.cacheTtlSeconds : cacheTtlSeconds,
      };
      return { ...next, ...keysOf(next), updatedById: userId };
    });
    return toShownQuery(row, caller);
  }

  async delete(id: string, { workspaceId }: Caller): Promise<void> {
    await this.queries.delete({ workspaceId, id });
  }
}

function keysOf({ name, description }: { name: string; description: string | null }) {
  return { nameKey: keyOf(name), searchKey: keyOf(`${name}\n${description ?? ''}`) };
}
