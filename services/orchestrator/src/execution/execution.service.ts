import { Injectable } from '@nestjs/common';
import type { Execution, FinishedPosition, RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import type { Principal, WorkspaceAccess } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { isSampled, showsPolicies } from '#libs/sql';
import { AssetAccess, readsText } from '../access/asset-access.service.js';
import { withoutText } from '../access/hidden-text.js';
import { ExecutionRepository } from './execution.repository.js';
import type { ExecutionView, ListFilter, Sight } from './execution.types.js';
import { FinishedRepository } from './finished.repository.js';

const idsMax = 1_000;
const finishedMax = 500;
const searchLengthMax = 200;

/** Executions as one caller may see them. What a caller may not see is not told apart from what is not there. */
@Injectable()
export class ExecutionService {
  constructor(
    private readonly repository: ExecutionRepository,
    private readonly finished: FinishedRepository,
    private readonly access: AssetAccess,
  ) {}

  /** @throws AppError `run.not_found` */
  async get(id: string, principal: Principal, sight: Sight = sightOf(principal)): Promise<Execution> {
    const [execution] = await this.read([id], principal, sight);
    if (!execution) throw new AppError('run.not_found', 'There is no such execution.', { path: ['id'] });
    return execution;
  }

  async getMany(ids: readonly string[], principal: Principal): Promise<Execution[]> {
    return this.read(bounded(ids), principal, sightOf(principal));
  }

  private async read(ids: readonly string[], principal: Principal, sight: Sight): Promise<Execution[]> {
    const [access, views] = await Promise.all([
      this.access.of(principal),
      this.repository.findMany(wellFormed(ids), sight),
    ]);
    return views.filter(reachedBy(principal, access)).map((view) => toExecution(view, principal, access));
  }

  async list(
    input: RequestOf<typeof runRequests.listExecutions>,
    principal: Principal,
  ): Promise<ResponseOf<typeof runRequests.listExecutions>> {
    const access = await this.access.of(principal);
    const filter = filterOf(input, principal, access);
    const page = parsePage(
      input.page,
      'executions',
      { filter: JSON.stringify({ ...filter, reached: null, readable: null, states: [...filter.states].sort() }) },
      ['number', 'string'],
    );
    const after = page.after && { micros: page.after[0], id: page.after[1] };
    const { views, lookedTo } = isKnowable(filter)
      ? await this.repository.list(filter, page.limit, after)
      : { views: [], lookedTo: undefined };
    const { rows, cursors, pageInfo } = toPage(
      views,
      page,
      (view) => [view.submittedMicros, view.execution.id],
      lookedTo && [lookedTo.micros, lookedTo.id],
    );
    return { executions: rows.map((view) => toExecution(view, principal, access)), cursors, pageInfo };
  }

  async listFinished(
    { after, limit }: RequestOf<typeof runRequests.listFinished>,
    principal: Principal,
  ): Promise<ResponseOf<typeof runRequests.listFinished>> {
    if (!after) return { finished: [], position: await this.finished.now(), skipped: false };
    if (limit < 1 || limit > finishedMax) {
      throw new AppError('input.invalid', `limit must be from 1 to ${finishedMax}.`, { path: ['limit'] });
    }
    const [access, read] = await Promise.all([
      this.access.of(principal),
      this.finished.list(principal.workspaceId, principal.userId, checked(after), limit),
    ]);
    const isReached = reachedBy(principal, access);
    return {
      finished: read.finished
        .filter(({ view }) => isReached(view))
        .map(({ position, view }) => ({ position, execution: toExecution(view, principal, access) })),
      position: read.horizon,
      skipped: read.isSkipped,
    };
  }

  /** The versions of executions, and where those of `waitingIds` stand that wait. */
  async versions({
    executionIds,
    waitingIds,
  }: RequestOf<typeof runRequests.getVersions>): Promise<ResponseOf<typeof runRequests.getVersions>['versions']> {
    const versions = await this.repository.versions(wellFormed(bounded(executionIds)));
    if (waitingIds.length === 0) return versions;
    const places = await this.repository.places(wellFormed(bounded(waitingIds)));
    return versions.map((version) => ({ ...version, ...places.get(version.executionId) }));
  }
}

function reachedBy(principal: Principal, access: WorkspaceAccess): (view: ExecutionView) => boolean {
  return ({ execution }) => access.reachesExecution(principal, execution);
}

function filterOf(
  input: RequestOf<typeof runRequests.listExecutions>,
  principal: Principal,
  access: WorkspaceAccess,
): ListFilter {
  const { states, savedQueryId, submittedById, dataSourceId, search, submittedFrom, submittedTo } = input;
  // Who may not read statements would find out by searching what stands in them.
  if (search !== undefined && !canReadSql(principal, '')) {
    throw new AppError('auth.forbidden', 'To search in statements needs the permission query.run.', {
      path: ['search'],
    });
  }
  if (search !== undefined && (search.length > searchLengthMax || search.includes('\0'))) {
    throw new AppError('input.invalid', `search has at most ${searchLengthMax} characters.`, { path: ['search'] });
  }
  return {
    ...sightOf(principal),
    ...{ states, savedQueryId, submittedById, dataSourceId, search, submittedFrom, submittedTo },
    readsPolicies: principal.permissions.has('row_policy.read'),
    reached: access.filterFor(principal, 'RUN'),
    readable: access.textFilterFor(principal),
  };
}

const callerKinds = ['user', 'apiKey', 'serviceAccount', 'guest'] as const;

/** What is no id names nothing, and may hold what PostgreSQL takes for no text at all. */
function isKnowable({ savedQueryId, submittedById, dataSourceId }: ListFilter): boolean {
  return (
    (savedQueryId === undefined || isId('savedQuery', savedQueryId)) &&
    (dataSourceId === undefined || isId('dataSource', dataSourceId)) &&
    (submittedById === undefined || callerKinds.some((kind) => isId(kind, submittedById)))
  );
}

/** A caller's own need no permission; everyone's need `execution.read`. */
export function sightOf(principal: Principal): Sight {
  return {
    workspaceId: principal.workspaceId,
    callerId: principal.permissions.has('execution.read') ? undefined : principal.userId,
  };
}

/** What this caller may read of an execution. */
export function toExecution(
  { execution, sql }: ExecutionView,
  principal: Principal,
  access: WorkspaceAccess,
): Execution {
  const seen = isSampled(sql) ? { ...execution, sampled: true } : execution;
  if (!readsText(access, principal, execution)) return withoutText(seen);
  return canReadSql(principal, sql) ? { ...seen, sql } : seen;
}

// Who may write SQL or read the source may read the statement; who only runs saved queries may not. With row policies in
// it, it tells what they are.
export function canReadSql({ permissions }: Principal, sql: string): boolean {
  if (showsPolicies(sql) && !permissions.has('row_policy.read')) return false;
  return permissions.has('query.run') || permissions.has('data_source.read');
}

/** What is no id names nothing, and may hold what PostgreSQL takes for no text at all. */
function wellFormed(ids: readonly string[]): string[] {
  return ids.filter((id) => isId('execution', id));
}

function bounded(ids: readonly string[]): readonly string[] {
  if (ids.length > idsMax) {
    throw new AppError('input.too_large', `At most ${idsMax} executions at once.`, { path: ['ids'] });
  }
  return ids;
}

const xidMax = 2n ** 64n - 1n;

function checked(after: FinishedPosition): FinishedPosition {
  if (
    !/^\d{1,20}$/.test(after.xid) ||
    BigInt(after.xid) > xidMax ||
    after.sequence < 0 ||
    !isPlace(after.executionId)
  ) {
    throw new AppError('input.cursor_invalid', 'This is no place in the order of final states.', { path: ['after'] });
  }
  return after;
}

function isPlace(executionId: string | undefined): boolean {
  return executionId === undefined || isId('execution', executionId);
}
