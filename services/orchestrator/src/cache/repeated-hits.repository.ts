import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import { queryPrepared } from '#libs/database';

export type HitToRepeat = RequestOf<typeof runRequests.repeatHits>['hits'][number];
export type RepeatedHit = ResponseOf<typeof runRequests.repeatHits>['hits'][number];

export interface RecordedHit {
  readonly submittedAt: Date;
  readonly cacheAgeSeconds: number;
  /** False for one that an earlier sending of the request has recorded. */
  readonly isNew: boolean;
}

export type RecordedHits = ReadonlyMap<HitToRepeat, RecordedHit>;

interface Row {
  readonly place: number;
  readonly submitted_at: Date;
  readonly cache_age_seconds: number;
  readonly is_new: boolean;
}

@Injectable()
export class RepeatedHitsRepository {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Records each where its result still answers, or finds it recorded. */
  async repeat(hits: readonly HitToRepeat[]): Promise<RecordedHits> {
    if (hits.length === 0) return new Map();
    const rows = await queryPrepared<Row>(
      this.dataSource,
      // What this statement records is of its own time.
      `select place, submitted_at, cache_age_seconds, submitted_at = now() as is_new
       from orchestrator.repeat_hits($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])`,
      [
        hits.map(({ executionId }) => executionId),
        hits.map(({ workspaceId }) => workspaceId),
        hits.map(({ callerId }) => callerId),
        hits.map(({ hitId }) => hitId),
        hits.map(({ traceId }) => traceId ?? null),
      ],
    );
    return byHit(hits, rows);
  }

  /** Those of them that are recorded. */
  async find(hits: readonly HitToRepeat[]): Promise<RecordedHits> {
    if (hits.length === 0) return new Map();
    const rows = await queryPrepared<Row>(
      this.dataSource,
      `select a.place::integer, e.submitted_at, e.cache_age_seconds, false as is_new
       from unnest($1::text[], $2::text[], $3::text[]) with ordinality a (id, workspace_id, caller_id, place)
       join orchestrator.execution e on e.id = a.id and e.workspace_id = a.workspace_id and e.caller_id = a.caller_id
       where e.cache_status = 'HIT'`,
      [
        hits.map(({ executionId }) => executionId),
        hits.map(({ workspaceId }) => workspaceId),
        hits.map(({ callerId }) => callerId),
      ],
    );
    return byHit(hits, rows);
  }
}

function byHit(hits: readonly HitToRepeat[], rows: readonly Row[]): RecordedHits {
  const recorded = new Map<HitToRepeat, RecordedHit>();
  for (const { place, submitted_at: submittedAt, cache_age_seconds: cacheAgeSeconds, is_new: isNew } of rows) {
    const hit = hits[place - 1];
    if (hit) recorded.set(hit, { submittedAt, cacheAgeSeconds, isNew });
  }
  return recorded;
}
