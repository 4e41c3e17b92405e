import { Injectable } from '@nestjs/common';
import type { MessageContext } from '#libs/bus';
import type { accessRequests, AccessLevel, AssetAccess, Grant, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import type { WorkspaceAccess } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { Caller } from '../caller.js';
import { Issues } from '../input/issues.js';
import { checkIds, checkSearchText } from '../input/text.js';
import { WorkspaceRevisions, type Transaction } from '../revision/workspace-revisions.repository.js';
import { AccessService } from './access.service.js';
import { AssetRepository, managingPermission, type Asset } from './asset.repository.js';
import { GranteeClient } from './grantee.client.js';
import { GrantRepository, type GrantSearch, type NewGrant } from './grant.repository.js';
import { RestrictionRepository } from './restriction.repository.js';

/** All of a workspace's travel to each service that asks who reaches what. */
const grantsMax = 10_000;
const levels = ['MANAGE', 'EDIT', 'RUN', 'DISCOVER'] as const satisfies AccessLevel[];

/** What is restricted, and who is let in nevertheless. */
@Injectable()
export class GrantService {
  constructor(
    private readonly access: AccessService,
    private readonly assets: AssetRepository,
    private readonly restrictions: RestrictionRepository,
    private readonly grants: GrantRepository,
    private readonly grantees: GranteeClient,
    private readonly revisions: WorkspaceRevisions,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  /** How the caller reaches these assets; those that it does not are left out. */
  async accessTo(ids: readonly string[], caller: Caller): Promise<AssetAccess[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    if (ids.length === 0) return [];
    const [access, assets] = await Promise.all([this.access.of(caller), this.assets.find(caller.workspaceId, ids)]);
    return assets.flatMap((asset) => {
      const level = levelOf(access, asset, caller);
      return level ? [{ assetId: asset.id, restricted: access.isRestricted(asset.id), level }] : [];
    });
  }

  /**
   * Whoever restricts something keeps managing it. Those who were let into the queries of a source while that was open to all
   * were not let into what is closed now.
   */
  async setRestricted(
    { assetId, restricted }: RequestOf<typeof accessRequests.setRestricted>,
    caller: Caller,
  ): Promise<AssetAccess> {
    const { workspaceId, userId } = caller;
    const known = await this.managed(assetId, caller, ['id']);
    await this.revisions.changeAccess(workspaceId, async (manager) => {
      const opensSource = await this.locked(manager, known, { caller, path: ['id'], forWhat: 'change' });
      const isNew = await this.restrictions.set(manager, workspaceId, assetId, restricted);
      const closes = isNew && known.kind === 'dataSource';
      const closedGrantIds = closes ? await this.grants.closeSource(manager, assetId) : [];
      await this.audit.add(manager, {
        action: restricted ? 'asset.restricted' : 'asset.unrestricted',
        ...{ workspaceId, target: { type: 'asset', id: assetId } },
        ...(closes ? { after: { closedGrantIds } } : {}),
      });
      if (!restricted || caller.permissions.has('grant.manage')) return;
      const grantee = { kind: 'USER', key: userId } as const;
      await this.give(manager, { workspaceId, assetId, grantee, opensSource, level: 'MANAGE', createdById: userId });
    });
    this.logger.info({ assetId, restricted, userId }, 'it was changed whether an asset is restricted');
    return { assetId, restricted, level: 'MANAGE' };
  }

  async get(ids: readonly string[], caller: Caller): Promise<Grant[]> {
    const issues = new Issues();
    checkIds(ids, issues);
    issues.throwIfAny();
    if (ids.length === 0) return [];
    const grants = await this.grants.find(caller.workspaceId, ids);
    const [access, assets] = await Promise.all([
      this.access.of(caller),
      this.assets.find(caller.workspaceId, [...new Set(grants.map(({ assetId }) => assetId))]),
    ]);
    const shown = new Set(assets.filter((asset) => manages(access, asset, caller)).map(({ id }) => id));
    return grants.filter(({ assetId }) => shown.has(assetId));
  }

  /** Of one asset, for those who manage it; of all, for those who manage all. */
  async list(
    { page: pageArgs, assetId, grantee, search: searched }: RequestOf<typeof accessRequests.listGrants>,
    caller: Caller,
  ): Promise<ResponseOf<typeof accessRequests.listGrants>> {
    const { workspaceId } = caller;
    if (assetId !== undefined) await this.managed(assetId, caller, ['assetId']);
    else if (!caller.permissions.has('grant.manage') || caller.reach) {
      throw new AppError('auth.forbidden', 'Name an asset that you manage, or have the permission grant.manage.');
    }
    const issues = new Issues();
    const text = checkSearchText(searched, issues);
    issues.throwIfAny();
    const filters = {
      workspaceId,
      assetId: assetId ?? null,
      grantee: grantee ? `${grantee.kind} ${grantee.key}` : null,
      search: text ?? null,
    };
    const page = parsePage(pageArgs, 'grants', filters);
    const search = text === undefined ? undefined : searchOf(text, caller);
    const { rows, totalCount } = await this.grants.list({ workspaceId, assetId, grantee, search }, page);
    const { rows: grants, cursors, pageInfo } = toPage(rows, page, ({ id }) => [id]);
    return { grants, cursors, pageInfo, totalCount };
  }

  async create(
    input: RequestOf<typeof accessRequests.createGrant>,
    caller: Caller,
    context: MessageContext,
  ): Promise<Grant> {
    const { workspaceId, userId } = caller;
    const { assetId, level } = input;
    const path = ['assetId'];
    const known = await this.managed(assetId, caller, path);
    const grantee = await this.grantees.known(input.grantee, context);
    const grant = await this.revisions.changeAccess(workspaceId, async (manager) => {
      const opensSource = await this.locked(manager, known, { caller, path, forWhat: 'grant' });
      return this.give(manager, { workspaceId, assetId, grantee, level, opensSource, createdById: userId });
    });
    this.logger.info({ grantId: grant.id, assetId, grantee, level, userId }, 'a grant was given');
    return grant;
  }

  async delete(id: string, caller: Caller): Promise<void> {
    const [grant] = await this.get([id], caller);
    if (!grant) throw new AppError('grant.not_found', 'There is no such grant.', { path: ['id'] });
    const { workspaceId, userId } = caller;
    await this.revisions.changeAccess(workspaceId, async (manager) => {
      await this.grants.delete(manager, workspaceId, id);
      await this.audit.add(manager, { action: 'grant.deleted', workspaceId, target: targetOf(grant), before: grant });
    });
    this.logger.info({ grantId: id, assetId: grant.assetId, userId }, 'a grant was taken');
  }

  private async give(manager: Transaction, grant: NewGrant): Promise<Grant> {
    const { workspaceId } = grant;
    await this.refuseTooMany(await this.grants.count(manager, workspaceId));
    const { before, after } = await this.grants.put(manager, grant);
    const action = before ? 'grant.updated' : 'grant.created';
    await this.audit.add(manager, { action, workspaceId, target: targetOf(after), before, after });
    return after;
  }

  /**
   * Keeps the asset as it is until the transaction ends, and asks again. What a saved query answers comes of its source: only
   * who manages that as well opens it for others. @returns whether the caller does
   */
  private async locked(
    manager: Transaction,
    asset: Asset,
    { caller, path, forWhat }: { caller: Caller; path: readonly string[]; forWhat: 'grant' | 'change' },
  ): Promise<boolean> {
    if (!(await this.assets.lock(manager, asset, forWhat))) throw assetNotFound(path);
    const access = await this.access.of(caller, manager);
    demandManaging(access, asset, caller, path);
    return caller.permissions.has('data_source.manage') && access.reachesSource(caller, asset.dataSourceId, 'MANAGE');
  }

  /** @throws AppError `asset.not_found`, `auth.forbidden` where the caller may see it and no more */
  private async managed(id: string, caller: Caller, path: readonly string[]): Promise<Asset> {
    const [[asset], access] = await Promise.all([this.assets.find(caller.workspaceId, [id]), this.access.of(caller)]);
    if (!asset) throw assetNotFound(path);
    demandManaging(access, asset, caller, path);
    return asset;
  }

  private async refuseTooMany(count: number): Promise<void> {
    if (count >= grantsMax) {
      throw new AppError('input.too_large', `A workspace has at most ${grantsMax} grants. Give them to groups.`);
    }
  }
}

function assetNotFound(path: readonly string[]): AppError {
  return new AppError('asset.not_found', 'There is no such data source or saved query.', { path });
}

/** @throws AppError `asset.not_found`, `auth.forbidden` where the caller may see it and no more */
function demandManaging(access: WorkspaceAccess, asset: Asset, caller: Caller, path: readonly string[]): void {
  if (!levelOf(access, asset, caller)) throw assetNotFound(path);
  if (manages(access, asset, caller)) return;
  const permission = managingPermission[asset.kind];
  throw new AppError('auth.forbidden', `This needs a grant of MANAGE and the permission ${permission}.`, { path });
}

function manages(access: WorkspaceAccess, asset: Asset, caller: Caller): boolean {
  const isAllowed = caller.permissions.has(managingPermission[asset.kind]) || caller.permissions.has('grant.manage');
  return isAllowed && reaches(access, asset, caller, 'MANAGE');
}

function reaches(access: WorkspaceAccess, asset: Asset, caller: Caller, level: AccessLevel): boolean {
  return asset.kind === 'dataSource'
    ? access.reachesSource(caller, asset.id, level)
    : access.reachesQuery(caller, asset, level);
}

function levelOf(access: WorkspaceAccess, asset: Asset, caller: Caller): AccessLevel | undefined {
  return levels.find((each) => reaches(access, asset, caller, each));
}

function searchOf(text: string, { permissions }: Caller): GrantSearch {
  const inQueries = permissions.has('saved_query.read') || permissions.has('saved_query.run');
  return { text, inSources: permissions.has('data_source.read'), inQueries };
}

function targetOf({ id }: Grant): { type: string; id: string } {
  return { type: 'grant', id };
}
