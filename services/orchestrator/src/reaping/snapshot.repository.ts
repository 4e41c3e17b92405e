import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { SourceConnection } from '#libs/contracts';
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
}
