import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LRUCache } from 'lru-cache';
import { DataSource, type EntityManager } from 'typeorm';
import type { Restriction } from '#libs/contracts';
import { WorkspaceAccess } from '#libs/identity';

export interface Restrictions {
  readonly revision: number;
  readonly accessRevision: number;
  readonly restrictions: Restriction[];
}

interface Kept {
  readonly accessRevision: number;
  readonly access: WorkspaceAccess;
}

const workspacesMax = 1_000;

/** What is restricted in a workspace, and by which grants it is reached. */
@Injectable()
export class RestrictionRepository {
  private readonly kept = new LRUCache<string, Kept>({ max: workspacesMax });

  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Who reaches what now; parsed once for as long as no restriction and no grant changes. */
  async access(workspaceId: string, manager?: EntityManager): Promise<WorkspaceAccess> {
    const kept = this.kept.get(workspaceId);
    const { accessRevision, restrictions } = await this.list(workspaceId, kept?.accessRevision ?? 0, manager);
    if (kept?.accessRevision === accessRevision) return kept.access;
    const access = new WorkspaceAccess(restrictions);
    this.kept.set(workspaceId, { accessRevision, access });
    return access;
  }

  /** The revisions first: what is read after them is at least as new. */
  async list(
    workspaceId: string,
    knownRevision: number,
    manager: EntityManager = this.database.manager,
  ): Promise<Restrictions> {
    const [row]: { revision: string; accessRevision: string }[] = await manager.query(
      `select revision, access_revision as "accessRevision" from metadata.workspace_revision where workspace_id = $1`,
      [workspaceId],
    );
    const revisions = { revision: Number(row?.revision ?? 0), accessRevision: Number(row?.accessRevision ?? 0) };
    // Nothing was ever restricted where the access revision is 0.
    if (revisions.accessRevision === knownRevision) return { ...revisions, restrictions: [] };
    const restrictions: Restriction[] = await manager.query(
      `select r.asset_id as "assetId", coalesce(
         jsonb_agg(jsonb_build_object('grantee', jsonb_build_object('kind', g.grantee_kind, 'key', g.grantee_key),
           'level', g.level, 'opensSource', g.opens_source)) filter (where g.id is not null), '[]') as grants
       from metadata.restriction r left join metadata.asset_grant g on g.asset_id = r.asset_id
       where r.workspace_id = $1 group by r.asset_id`,
      [workspaceId],
    );
    return { ...revisions, restrictions };
  }

  /** @returns whether it was not restricted before and is now */
  async set(manager: EntityManager, workspaceId: string, assetId: string, isRestricted: boolean): Promise<boolean> {
    if (isRestricted) {
      const made = await manager.query<object[]>(
        `insert into metadata.restriction (asset_id, workspace_id) values ($1, $2) on conflict (asset_id) do nothing
         returning asset_id`,
        [assetId, workspaceId],
      );
      return made.length > 0;
    }
    await manager.query('delete from metadata.restriction where asset_id = $1 and workspace_id = $2', [
      assetId,
      workspaceId,
    ]);
    return false;
  }
}
