import type { AccessLevel, Restriction } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { Principal } from './principal.js';

/** Each holds all of the one before. */
const ranks: Readonly<Record<AccessLevel, number>> = { DISCOVER: 1, RUN: 2, EDIT: 3, MANAGE: 4 };

type Grant = Restriction['grants'][number];

/** What of a principal decides over what it reaches. */
export type Reacher = Pick<Principal, 'userId' | 'permissions' | 'groups' | 'reach' | 'guest'>;

/** A saved query, as far as it matters to who reaches it. */
export interface QueryPlace {
  readonly id: string;
  readonly dataSourceId: string;
}

/** What an execution has asked. */
export interface AskedAssets {
  readonly dataSourceId: string;
  readonly savedQueryId?: string | undefined;
}

/** What of a list a caller reaches, for whoever reads it from a database; see accessCondition. */
export interface AccessFilter {
  /** What the caller is confined to: these sources with their saved queries, and these saved queries. Absent: to nothing. */
  readonly reach: Principal['reach'];
  readonly closedSourceIds: readonly string[];
  readonly closedQueryIds: readonly string[];
  /** Reached although their source is not. */
  readonly openQueryIds: readonly string[];
  /** On these, restricted saved queries are reached only where they are open. */
  readonly belowRunSourceIds: readonly string[];
  readonly restrictedQueryIds: readonly string[];
}

/**
 * Who reaches which data sources and saved queries of one workspace, beside what roles allow. A role says what somebody
 * may do, this says on what: both are needed. What is not restricted is everybody's; what is, is reached by its grants
 * alone. Every service asks here and nowhere else.
 */
export class WorkspaceAccess {
  private readonly restrictions: ReadonlyMap<string, readonly Grant[]>;
  /** A principal is one object for as long as its token is remembered, and so is what it reaches. */
  private readonly filters = new WeakMap<Reacher, Map<AccessLevel, AccessFilter>>();

  constructor(restrictions: readonly Restriction[]) {
    this.restrictions = new Map(restrictions.map(({ assetId, grants }) => [assetId, grants]));
  }

  /** Nothing is restricted. */
  get isOpen(): boolean {
    return this.restrictions.size === 0;
  }

  isRestricted(assetId: string): boolean {
    return this.restrictions.has(assetId);
  }

  reachesSource(principal: Reacher, sourceId: string, level: AccessLevel): boolean {
    const { reach } = principal;
    if (reach && !reach.dataSourceIds.includes(sourceId)) return false;
    return isAtLeast(this.levelOfSource(principal, sourceId), level);
  }

  reachesQuery(principal: Reacher, query: QueryPlace, level: AccessLevel): boolean {
    const { reach } = principal;
    const isInReach =
      !reach || reach.savedQueryIds.includes(query.id) || reach.dataSourceIds.includes(query.dataSourceId);
    return isInReach && isAtLeast(this.levelOfQuery(principal, query), level);
  }

  /** What was asked may still be asked: whoever may not, does not see what it has answered either. */
  reachesExecution(principal: Reacher, { dataSourceId, savedQueryId }: AskedAssets): boolean {
    return savedQueryId === undefined
      ? this.reachesSource(principal, dataSourceId, 'RUN')
      : this.reachesQuery(principal, { id: savedQueryId, dataSourceId }, 'RUN');
  }

  /** @throws AppError `source.not_found` where nothing of it may be known, otherwise `auth.forbidden` */
  demandSource(principal: Reacher, sourceId: string, level: AccessLevel, path: readonly string[] = ['id']): void {
    if (this.reachesSource(principal, sourceId, level)) return;
    if (this.reachesSource(principal, sourceId, 'DISCOVER')) throw tooLow(level, path);
    throw new AppError('source.not_found', 'There is no such data source.', { path });
  }

  /** @throws AppError `saved_query.not_found` where nothing of it may be known, otherwise `auth.forbidden` */
  demandQuery(principal: Reacher, query: QueryPlace, level: AccessLevel, path: readonly string[] = ['id']): void {
    if (this.reachesQuery(principal, query, level)) return;
    if (this.reachesQuery(principal, query, 'DISCOVER')) throw tooLow(level, path);
    throw new AppError('saved_query.not_found', 'There is no such saved query.', { path });
  }

  /** Whoever only runs a saved query does not learn from anything what stands in it. */
  readsText(principal: Reacher, query: QueryPlace): boolean {
    return this.reachesQuery(principal, query, 'EDIT') && this.reachesSource(principal, query.dataSourceId, 'DISCOVER');
  }

  /** Undefined where everything is reached. */
  filterFor(principal: Reacher, level: AccessLevel): AccessFilter | undefined {
    if (!principal.reach && (this.restrictions.size === 0 || standsAbove(principal))) return undefined;
    const known = this.filters.get(principal) ?? new Map<AccessLevel, AccessFilter>();
    this.filters.set(principal, known);
    const filter = known.get(level) ?? this.makeFilter(principal, level);
    known.set(level, filter);
    return filter;
  }

  /**
   * The same as readsText for a list of saved queries, for whoever searches in what they say. It leaves out those that are
   * open to an editor who only sees their source.
   */
  textFilterFor(principal: Reacher): AccessFilter | undefined {
    const [queries, sources] = [this.filterFor(principal, 'EDIT'), this.filterFor(principal, 'RUN')];
    if (!queries || !sources) return undefined;
    return {
      ...queries,
      reach: queries.reach && { ...queries.reach, savedQueryIds: [] },
      closedSourceIds: sources.closedSourceIds,
      openQueryIds: [],
    };
  }

  private makeFilter(principal: Reacher, level: AccessLevel): AccessFilter {
    const filter = {
      reach: principal.reach,
      closedSourceIds: [] as string[],
      closedQueryIds: [] as string[],
      openQueryIds: [] as string[],
      belowRunSourceIds: [] as string[],
      restrictedQueryIds: [] as string[],
    };
    if (standsAbove(principal)) return filter;
    for (const [id, grants] of this.restrictions) {
      const reached = levelOf(principal, grants);
      if (id.startsWith('src_')) {
        if (!isAtLeast(reached, level)) filter.closedSourceIds.push(id);
        if (!isAtLeast(reached, 'RUN')) filter.belowRunSourceIds.push(id);
        continue;
      }
      filter.restrictedQueryIds.push(id);
      if (!isAtLeast(reached, level)) filter.closedQueryIds.push(id);
      else if (isAtLeast(levelOf(principal, grants.filter(opens)), level)) filter.openQueryIds.push(id);
    }
    return filter;
  }

  private levelOfSource(principal: Reacher, sourceId: string): AccessLevel | undefined {
    const grants = this.restrictions.get(sourceId);
    return !grants || standsAbove(principal) ? 'MANAGE' : levelOf(principal, grants);
  }

  private levelOfQuery(principal: Reacher, { id, dataSourceId }: QueryPlace): AccessLevel | undefined {
    const ofSource = this.levelOfSource(principal, dataSourceId);
    const grants = this.restrictions.get(id);
    // One that is not restricted is open to all who may ask its source anyway.
    if (!grants) return isAtLeast(ofSource, 'RUN') ? 'MANAGE' : ofSource;
    if (standsAbove(principal)) return 'MANAGE';
    return levelOf(principal, isAtLeast(ofSource, 'RUN') ? grants : grants.filter(opens));
  }
}

function tooLow(level: AccessLevel, path: readonly string[]): AppError {
  return new AppError('auth.forbidden', `This needs a grant of ${level}.`, { path });
}

/** Whoever gives grants could give them to himself. */
function standsAbove({ permissions }: Reacher): boolean {
  return permissions.has('grant.manage');
}

function opens({ opensSource }: Grant): boolean {
  return opensSource;
}

/** A guest reaches what the service account reaches that has let it in. */
function levelOf(principal: Reacher, grants: readonly Grant[]): AccessLevel | undefined {
  const userId = principal.guest?.mintedById ?? principal.userId;
  return grants
    .filter(({ grantee }) =>
      grantee?.kind === 'GROUP' ? principal.groups.includes(grantee.key) : grantee?.key === userId,
    )
    .map(({ level }) => level)
    .toSorted((one, other) => ranks[other] - ranks[one])
    .at(0);
}

function isAtLeast(level: AccessLevel | undefined, wanted: AccessLevel): boolean {
  return level !== undefined && ranks[level] >= ranks[wanted];
}
