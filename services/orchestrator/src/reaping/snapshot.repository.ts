import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { SourceConnection } from '#libs/contracts';
import type { Run } from '../run/run.types.js';
import { decodeSource } from '../source/source-snapshot.js';

@Injectable()
export class SnapshotRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** The source as a run took it; undefined where the run is final. */
  async find(runId: string): Promise<SourceConnection | undefined> {
    const [row]: { source: Buffer | null }[] = await this.dataSource.query(
      `select source from orchestrator.run where id = $1`,
      [runId],
    );
    return row?.source ? decodeSource(row.source) : undefined;
  }

  /** Another worker than the run's own, of those that take runs of its source if such a one lives. */
  async findOtherWorker(
    { pool, sourceId, workerId }: Pick<Run, 'pool' | 'sourceId' | 'workerId'>,
    liveSeconds: number,
  ): Promise<string | undefined> {
    const [row]: { id: string }[] = await this.dataSource.query(
      `select w.id from orchestrator.worker w left join orchestrator.source s on s.id = $2
       where w.pool = $1 and w.id <> $3 and not w.draining
         and w.heartbeat_at > now() - make_interval(secs => $4)
       order by (s.id = any (w.source_ids) or coalesce(s.type = any (w.source_types), false)) desc nulls last,
         w.source_ids = '{}' and w.source_types = '{}' desc, w.heartbeat_at desc
       limit 1`,
      [pool, sourceId, workerId ?? '', liveSeconds],
    );
    return row?.id;
  }
}
