import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { queryPrepared } from '#libs/database';

export interface Usage {
  readonly executions: number;
  readonly seconds: number;
  readonly rows: number;
  readonly bytes: number;
}

interface UsageRow {
  user: Usage;
  workspace: Usage;
  resets_at: Date;
}

/** What was used of today; it is written where runs begin and end, see the migration fair-queue. */
@Injectable()
export class QuotaRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async usageOf(workspaceId: string, userId: string): Promise<{ user: Usage; workspace: Usage; resetsAt: Date }> {
    const [row] = await queryPrepared<UsageRow>(
      this.dataSource,
      `select ${sums('u.user_id = $2')} as "user", ${sums('true')} as workspace,
         (date_trunc('day', now() at time zone 'UTC') + interval '1 day') at time zone 'UTC' as resets_at
       from orchestrator.used_today u where u.workspace_id = $1`,
      [workspaceId, userId],
    );
    if (!row) throw new Error('a sum without a row');
    return { user: row.user, workspace: row.workspace, resetsAt: row.resets_at };
  }
}

function sums(condition: string): string {
  const sum = (name: string): string => `'${name}', coalesce(sum(u.${name}) filter (where ${condition}), 0)`;
  return `jsonb_build_object(${['executions', 'seconds', 'rows', 'bytes'].map(sum).join(', ')})`;
}
