import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { AccessLevel, Grant, Grantee } from '#libs/contracts';
import { escapeLike, type ParsedPage } from '#libs/database';
import { newId } from '#libs/kernel';

export interface NewGrant {
  readonly workspaceId: string;
  readonly assetId: string;
  readonly grantee: Grantee;
  readonly level: AccessLevel;
  readonly opensSource: boolean;
  readonly createdById: string;
}

export interface GrantFilter {
  readonly workspaceId: string;
  readonly assetId: string | undefined;
  readonly grantee: Grantee | undefined;
  readonly search: GrantSearch | undefined;
}

/** By searching, nobody learns the names of things that are not shown. */
export interface GrantSearch {
  readonly text: string;
  readonly inSources: boolean;
  readonly inQueries: boolean;
}

interface Row {
  readonly id: string;
  readonly assetId: string;
  readonly kind: Grantee['kind'];
  readonly key: string;
  readonly level: AccessLevel;
  readonly opensSource: boolean;
  readonly createdById: string;
  readonly createdAt: Date;
}

const columns = `id, asset_id as "assetId", grantee_kind as kind, grantee_key as key, level,
  opens_source as "opensSource", created_by_id as "createdById", created_at as "createdAt"`;

/** Grants in PostgreSQL. */
@Injectable()
export class GrantRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async find(workspaceId: string, ids: readonly string[]): Promise<Grant[]> {
    const rows: Row[] = await this.database.query(
      `select ${columns} from metadata.asset_grant where workspace_id = $1 and id = any ($2::text[])`,
      [workspaceId, ids],
    );
    return rows.map(toGrant);
  }

  /** How many grants and row policies name a group. */
  async countUsesOf(groupName: string, workspaceId: string): Promise<{ rowPolicies: number; grants: number }> {
    const [row] = await this.database.query<{ rowPolicies: number; grants: number }[]>(
      `select
         (select count(*)::integer from metadata.row_policy
          where workspace_id = $1 and $2 = any (group_names || exempt_group_names)) as "rowPolicies",
         (select count(*)::integer from metadata.asset_grant
          where workspace_id = $1 and grantee_kind = 'GROUP' and grantee_key = $2) as grants`,
      [workspaceId, groupName],
    );
    if (!row) throw new Error('a count came without a row');
    return row;
  }

  /** The newest first. */
  async list(
    { workspaceId, assetId, grantee, search }: GrantFilter,
    page: ParsedPage<readonly ['string']>,
  ): Promise<{ rows: Grant[]; totalCount: number }> {
    const filter = `workspace_id = $1 and ($2::text is null or asset_id = $2)
      and ($3::text is null or (grantee_kind = $3 and grantee_key = $4))
      and ($5::text is null or (grantee_kind = 'GROUP' and grantee_key ilike $5)
        or ($6 and exists (select from metadata.data_source where id = asset_id and name ilike $5))
        or ($7 and exists (select from metadata.saved_query where id = asset_id and name ilike $5)))`;
    const values = [
      ...[workspaceId, assetId ?? null, grantee?.kind ?? null, grantee?.key ?? null],
      ...[search ? `%${escapeLike(search.text)}%` : null, search?.inSources ?? false, search?.inQueries ?? false],
    ];
    const [rows, [counted]] = await Promise.all([
      this.database.query<Row[]>(
        `select ${columns} from metadata.asset_grant where ${filter} and ($8::text is null or id < $8)
         order by id desc limit $9`,
        [...values, page.after?.[0] ?? null, page.limit],
      ),
      this.database.query<{ count: string }[]>(`select count(*) from metadata.asset_grant where ${filter}`, values),
    ]);
    return { rows: rows.map(toGrant), totalCount: Number(counted?.count ?? 0) };
  }

  async count(manager: EntityManager, workspaceId: string): Promise<number> {
    const [row]: { count: string }[] = await manager.query(
      'select count(*) from metadata.asset_grant where workspace_id = $1',
      [workspaceId],
    );
    return Number(row?.count);
  }

  /** Whoever has a grant on the asset already has it at this level from now on; `before` is what it was. */
  async put(manager: EntityManager, grant: NewGrant): Promise<{ before: Grant | undefined; after: Grant }> {
    const [before]: Row[] = await manager.query(
      `select ${columns} from metadata.asset_grant
       where asset_id = $1 and grantee_kind = $2 and grantee_key = $3 for update`,
      [grant.assetId, grant.grantee.kind, grant.grantee.key],
    );
    const [row]: Row[] = await manager.query(
      `insert into metadata.asset_grant as g
         (id, workspace_id, asset_id, grantee_kind, grantee_key, level, opens_source, created_by_id)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict on constraint asset_grant_grantee_key do update
         set level = excluded.level, opens_source = excluded.opens_source, created_by_id = excluded.created_by_id,
           created_at = now()
       returning ${columns}`,
      [
        ...[newId('grant'), grant.workspaceId, grant.assetId, grant.grantee.kind, grant.grantee.key],
        ...[grant.level, grant.opensSource, grant.createdById],
      ],
    );
    if (!row) throw new Error('an insert returns its row');
    return { before: before && toGrant(before), after: toGrant(row) };
  }

  /** The grants on the saved queries of a source are ways into it no more. */
  async closeSource(manager: EntityManager, dataSourceId: string): Promise<string[]> {
    const closed: [{ id: string }[], number] = await manager.query(
      `update metadata.asset_grant g set opens_source = false from metadata.saved_query q
       where q.id = g.asset_id and q.data_source_id = $1 and g.opens_source returning g.id`,
      [dataSourceId],
    );
    return closed[0].map(({ id }) => id);
  }

  async delete(manager: EntityManager, workspaceId: string, id: string): Promise<void> {
    await manager.query('delete from metadata.asset_grant where workspace_id = $1 and id = $2', [workspaceId, id]);
  }

  /** With the asset. */
  async deleteOf(manager: EntityManager, assetId: string): Promise<void> {
    await manager.query('delete from metadata.asset_grant where asset_id = $1', [assetId]);
  }
}

function toGrant({ kind, key, ...grant }: Row): Grant {
  return { ...grant, grantee: { kind, key } };
}
