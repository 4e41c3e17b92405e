import { Injectable } from '@nestjs/common';
import { AppError, isId } from '#libs/kernel';
import { RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { QuestionRate } from '../allowance/question-rate.service.js';
import { CacheMetrics } from './cache.metrics.js';
import {
  RepeatedHitsRepository,
  type HitToRepeat,
  type RecordedHit,
  type RecordedHits,
  type RepeatedHit,
} from './repeated-hits.repository.js';

const hitsMax = 1_000;

/**
 * Equal questions of callers whose answers are known to be kept, many at a time. The gateway knows who asks and that they
 * may; whether the kept result still answers is found out here, for each batch anew.
 */
@Injectable()
export class RepeatedHitsService {
  constructor(
    private readonly repository: RepeatedHitsRepository,
    private readonly revisions: RevisionCopies,
    private readonly rate: QuestionRate,
    private readonly metrics: CacheMetrics,
    private readonly logger: AppLogger,
  ) {}

  async repeat(hits: readonly HitToRepeat[]): Promise<RepeatedHit[]> {
    if (hits.length > hitsMax) throw new AppError('input.too_large', `At most ${hitsMax} hits at once.`);
    const wellFormed = hits.filter(isWellFormed);
    const currentOf = this.currentOf(hits);
    // In one round trip.
    const [isCurrent, counted] = await Promise.all([currentOf, this.withinRate(wellFormed, currentOf)]);
    const toRecord = new Set(counted.filter(isCurrent));
    // Where their request comes once more, they may have been recorded before they were too many, or outdated.
    const earlier = this.findRecorded(wellFormed.filter((hit) => !toRecord.has(hit)));
    let repeated: RecordedHits = new Map();
    try {
      repeated = await this.repository.repeat([...toRecord]);
    } finally {
      // Nobody waits for it.
      void this.giveBack(counted.filter((hit) => !repeated.get(hit)?.isNew));
    }
    for (const { isNew, cacheAgeSeconds } of repeated.values())
      if (isNew) this.metrics.answered({ cacheStatus: 'HIT', cacheAgeSeconds });
    const recordedBefore = await earlier;
    return hits.map((hit) => answerOf(repeated.get(hit) ?? recordedBefore.get(hit)));
  }

  /** What cannot be looked up is refused: the others of the batch are recorded by then, and have to be told so. */
  private findRecorded(refused: readonly HitToRepeat[]): Promise<RecordedHits> {
    return this.repository.find(refused).catch((err: unknown): RecordedHits => {
      this.logger.warn({ err, count: refused.length }, 'nobody could say which refused hits were recorded before');
      return new Map();
    });
  }

  /**
   * A hit counts as a question. Of a caller for whom they are too many none is repeated, and each is asked for by itself. Which of
   * them are outdated is known only then: they are not to be the reason.
   */
  private async withinRate(hits: readonly HitToRepeat[], currentOf: Promise<IsCurrent>): Promise<HitToRepeat[]> {
    const taken = await Promise.all(
      byCaller(hits).map(async ({ caller, hits: own }) => {
        if (await this.rate.takeAll(caller, own.length)) return own;
        const good = own.filter(await currentOf);
        if (good.length === 0 || good.length === own.length) return [];
        return (await this.rate.takeAll(caller, good.length)) ? good : [];
      }),
    );
    return taken.flat();
  }

  /** What is not accepted is asked for again, each by itself, and counts then; what was recorded before has counted. */
  private async giveBack(hits: readonly HitToRepeat[]): Promise<void> {
    await Promise.all(byCaller(hits).map((own) => this.rate.giveBack(own.caller, own.hits.length)));
  }

  /** A source, a saved query or a policy may have changed since the question was planned. */
  private async currentOf(hits: readonly HitToRepeat[]): Promise<IsCurrent> {
    const workspaceIds = [...new Set(hits.map(({ workspaceId }) => workspaceId))];
    const revisions = await Promise.all(workspaceIds.map((id) => this.revisions.read(id, 'metadata')));
    const current = new Map(workspaceIds.map((id, index) => [id, revisions[index]]));
    return ({ workspaceId, revision }) => current.get(workspaceId) === revision;
  }
}

function answerOf(recorded: RecordedHit | undefined): RepeatedHit {
  if (!recorded) return { accepted: false, cacheAgeSeconds: 0 };
  const { submittedAt, cacheAgeSeconds } = recorded;
  return { accepted: true, submittedAt, cacheAgeSeconds };
}

type IsCurrent = (hit: HitToRepeat) => boolean;

interface HitsOfCaller {
  readonly caller: { readonly workspaceId: string; readonly userId: string };
  readonly hits: HitToRepeat[];
}

function byCaller(hits: readonly HitToRepeat[]): HitsOfCaller[] {
  const all = new Map<string, HitsOfCaller>();
  for (const hit of hits) {
    const { workspaceId, callerId: userId } = hit;
    const key = `${workspaceId}/${userId}`;
    const own = all.get(key);
    if (own) own.hits.push(hit);
    else all.set(key, { caller: { workspaceId, userId }, hits: [hit] });
  }
  return [...all.values()];
}

function isWellFormed({ executionId, hitId }: HitToRepeat): boolean {
  return isId('execution', executionId) && isId('execution', hitId);
}
