import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { metadataRequests, QuotaLimits, ResponseOf, WorkspaceSettings } from '#libs/contracts';
import { AuditRepository } from '#libs/database';
import { changedMeanwhile } from '#libs/kernel';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import type { SettingsChange } from './workspace-settings.input.js';

type ResultLimits = ResponseOf<typeof metadataRequests.listResultLimits>['limits'][number];

interface Row {
  time_zone: string | null;
  cache_ttl_seconds: number | null;
  history_days: number | null;
  result_days: number | null;
  /** node-postgres gives bigint as text. */
  result_bytes_max: string | number | null;
  sample_rows: number | null;
  durable_hits: boolean;
  user_quotas: QuotaLimits;
  workspace_quotas: QuotaLimits;
  version: number;
}

const unset: Row = {
  ...{ time_zone: null, cache_ttl_seconds: null, history_days: null, result_days: null, result_bytes_max: null },
  ...{ sample_rows: null, durable_hits: false, user_quotas: {}, workspace_quotas: {}, version: 1 },
};

@Injectable()
export class WorkspaceSettingsRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly revisions: WorkspaceRevisions,
    private readonly audit: AuditRepository,
  ) {}

  async get(workspaceId: string): Promise<WorkspaceSettings> {
    return toSettings(await this.row(this.database.manager, workspaceId, ''));
  }

  /** @throws AppError `entity.conflict` where another change came between */
  async update(workspaceId: string, version: number, change: SettingsChange): Promise<WorkspaceSettings> {
    return this.revisions.change(workspaceId, async (manager) => {
      // There is a row to lock, also for the first two who change at the same time.
      await manager.query(
        `insert into metadata.workspace_settings (workspace_id, version) values ($1, 1) on conflict do nothing`,
        [workspaceId],
      );
      const current = await this.row(manager, workspaceId, 'for update');
      if (current.version !== version) throw changedMeanwhile('The workspace');
      const next = { ...current, ...change };
      await manager.query(
        `update metadata.workspace_settings set time_zone = $2, cache_ttl_seconds = $3, history_days = $4,
           user_quotas = $5, workspace_quotas = $6, result_days = $7, result_bytes_max = $8, sample_rows = $9, durable_hits = $10,
           version = version + 1
         where workspace_id = $1`,
        [
          ...[workspaceId, next.time_zone, next.cache_ttl_seconds, next.history_days],
          ...[JSON.stringify(next.user_quotas), JSON.stringify(next.workspace_quotas)],
          ...[next.result_days, next.result_bytes_max, next.sample_rows, next.durable_hits],
        ],
      );
      const changed = toSettings({ ...next, version: version + 1 });
      const target = { type: 'workspace', id: workspaceId };
      const before = toSettings(current);
      await this.audit.add(manager, { action: 'workspace.updated', workspaceId, target, before, after: changed });
      return changed;
    });
  }

  /** Of those workspaces that have one of their own. */
  async retentions(): Promise<{ workspaceId: string; days: number }[]> {
    return this.database.query(
      `select workspace_id as "workspaceId", history_days as days from metadata.workspace_settings
       where history_days is not null`,
    );
  }

  /** Of those workspaces that have any of their own. */
  async resultLimits(): Promise<ResultLimits[]> {
    const rows: { workspace_id: string; result_days: number | null; result_bytes_max: string | null }[] =
      await this.database.query(
        `select workspace_id, result_days, result_bytes_max from metadata.workspace_settings
         where result_days is not null or result_bytes_max is not null`,
      );
    return rows.map((row) => ({
      workspaceId: row.workspace_id,
      days: row.result_days ?? undefined,
      bytesMax: bytesOf(row.result_bytes_max),
    }));
  }

  private async row(manager: EntityManager, workspaceId: string, lock: '' | 'for update'): Promise<Row> {
    const [row]: Row[] = await manager.query(
      `select time_zone, cache_ttl_seconds, history_days, result_days, result_bytes_max, sample_rows,
         durable_hits, user_quotas, workspace_quotas, version
       from metadata.workspace_settings where workspace_id = $1 ${lock}`,
      [workspaceId],
    );
    return row ?? unset;
  }
}

function toSettings(row: Row): WorkspaceSettings {
  return {
    timeZone: row.time_zone ?? undefined,
    cacheTtlSeconds: row.cache_ttl_seconds ?? undefined,
    historyDays: row.history_days ?? undefined,
    resultDays: row.result_days ?? undefined,
    resultBytesMax: bytesOf(row.result_bytes_max),
    sampleRows: row.sample_rows ?? undefined,
    durableHits: row.durable_hits,
    userQuotas: row.user_quotas,
    workspaceQuotas: row.workspace_quotas,
    version: row.version,
  };
}

function bytesOf(value: string | number | null): number | undefined {
  return value === null ? undefined : Number(value);
}
