import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import { queryPrepared } from '#libs/database';

export type HitToRepeat = RequestOf<typeof runRequests.repeatHits>['hits'][number];
export type RepeatedHit = ResponseOf<typeof runRequests.repeatHits>['hits'][number];

@Injectable()
export class RepeatedHitsRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Records each where its result still answers; in the order of what was asked. */
  async repeat(hits: readonly HitToRepeat[]): Promise<RepeatedHit[]> {
    const rows = await queryPrepared<{ place: number; submitted_at: Date; cache_age_seconds: number }>(
      this.dataSource,
      `select place, submitted_at, cache_age_seconds
       from orchestrator.repeat_hits($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])`,
      [
        hits.map(({ executionId }) => executionId),
        hits.map(({ workspaceId }) => workspaceId),
        hits.map(({ callerId }) => callerId),
        hits.map(({ hitId }) => hitId),
        hits.map(({ traceId }) => traceId ?? null),
      ],
    );
    const made = new Map(rows.map((row) => [row.place, row]));
    return hits.map((_hit, index) => {
      const row = made.get(index + 1);
      if (!row) return { accepted: false, cacheAgeSeconds: 0 };
      return { accepted: true, submittedAt: row.submitted_at, cacheAgeSeconds: row.cache_age_seconds };
    });
  }
}
