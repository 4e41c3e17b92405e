import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf, ResponseOf, SavedQuery } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { newId } from '#libs/kernel';
import { AccessService } from '../access/access.service.js';
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
  constructor(
    private readonly queries: SavedQueryRepository,
    private readonly access: AccessService,
  ) {}

  /** Those that exist in the caller's workspace; none for who may neither see nor run them. */
  async get(ids: readonly string[], caller: Caller): Promise<SavedQuery[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    const { workspaceId, permissions } = caller;
    const isKnown = permissions.has('saved_query.read') || permissions.has('saved_query.run');
    if (ids.length === 0 || !isKnown) return [];
    const [access, rows] = await Promise.all([this.access.of(caller), this.queries.find(workspaceId, ids)]);
    const seen = rows.filter((row) => access.reachesQuery(caller, row, 'DISCOVER'));
    return seen.map((row) => toShownQuery(row, caller, access));
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
    const access = await this.access.of(caller);
    const reached = access.filterFor(caller, 'DISCOVER');
    const { rows, totalCount } = await this.queries.list({ workspaceId, search, tags, reached }, page);
    const { rows: shown, cursors, pageInfo } = toPage(rows, page, (row) => [row.nameKey, row.id]);
    return { savedQueries: shown.map((row) => toShownQuery(row, caller, access)), cursors, pageInfo, totalCount };
  }

  async create(input: RequestOf<typeof metadataRequests.createSavedQuery>, caller: Caller): Promise<SavedQuery> {
    const { workspaceId, userId } = caller;
    const query = parseNewSavedQuery(input);
    const access = await this.access.of(caller);
    access.demandSource(caller, query.dataSourceId, 'RUN', ['dataSourceId']);
    const row = await this.queries.insert({
      id: newId('savedQuery'),
      workspaceId,
      ...query,
      ...keysOf(query),
      createdById: userId,
      updatedById: userId,
    });
    return toShownQuery(row, caller, access);
  }

  async update(input: RequestOf<typeof metadataRequests.updateSavedQuery>, caller: Caller): Promise<SavedQuery> {
    const { workspaceId, userId } = caller;
    const { name, description, sql, parameters, tags, cacheTtlSeconds, warmUp } = parseSavedQueryChange(input);
    const access = await this.access.of(caller);
    const row = await this.queries.update({ workspaceId, id: input.id }, input.version, (current) => {
      access.demandQuery(caller, current, 'EDIT');
      // Its text says what is asked of the source, and so is for those who may ask it themselves.
      access.demandSource(caller, current.dataSourceId, 'RUN');
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
    return toShownQuery(row, caller, access);
  }

  async delete(id: string, caller: Caller): Promise<void> {
    const { workspaceId } = caller;
    const [[row], access] = await Promise.all([this.queries.find(workspaceId, [id]), this.access.of(caller)]);
    if (row) access.demandQuery(caller, row, 'MANAGE');
    await this.queries.delete({ workspaceId, id });
  }
}

function keysOf({ name, description }: { name: string; description: string | null }) {
  return { nameKey: keyOf(name), searchKey: keyOf(`${name}\n${description ?? ''}`) };
}
