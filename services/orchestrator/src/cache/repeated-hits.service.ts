import { Injectable } from '@nestjs/common';
import { AppError, isId } from '#libs/kernel';
import { RevisionCopies } from '#libs/redis';
import { QuestionRate } from '../allowance/question-rate.service.js';
import { CacheMetrics } from './cache.metrics.js';
import { RepeatedHitsRepository, type HitToRepeat, type RepeatedHit } from './repeated-hits.repository.js';

const hitsMax = 1_000;
const refused: RepeatedHit = { accepted: false, cacheAgeSeconds: 0 };

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
  ) {}

  async repeat(hits: readonly HitToRepeat[]): Promise<RepeatedHit[]> {
    if (hits.length > hitsMax) throw new AppError('input.too_large', `At most ${hitsMax} hits at once.`);
    // In one round trip.
    const [current, allowed] = await Promise.all([
      this.currentRevisions(hits),
      this.withinRate(hits.filter(isWellFormed)),
    ]);
    const isCurrent = (hit: HitToRepeat): boolean => current.get(hit.workspaceId) === hit.revision;
    const good = allowed.filter(isCurrent);
    const outdated = byCaller(allowed.filter((hit) => !isCurrent(hit)));
    // They are asked for again, each by itself, and count then.
    await Promise.all(outdated.map((own) => this.rate.giveBack(own.caller, own.hits.length)));
    if (good.length === 0) return hits.map(() => refused);
    const repeated = await this.repository.repeat(good);
    for (const { accepted, cacheAgeSeconds } of repeated) {
      if (accepted) this.metrics.answered({ cacheStatus: 'HIT', cacheAgeSeconds });
    }
    const byHit = new Map(good.map((hit, index) => [hit, repeated[index]]));
    return hits.map((hit) => byHit.get(hit) ?? refused);
  }

  /** A hit counts as a question. Of a caller for whom they are too many none is repeated, and each is asked for by itself. */
  private async withinRate(hits: readonly HitToRepeat[]): Promise<HitToRepeat[]> {
    const taken = await Promise.all(
      byCaller(hits).map(async (own) => ((await this.rate.takeAll(own.caller, own.hits.length)) ? own.hits : [])),
    );
    return taken.flat();
  }

  /** A source, a saved query or a policy may have changed since the question was planned. */
  private async currentRevisions(hits: readonly HitToRepeat[]): Promise<Map<string, number | undefined>> {
    const workspaceIds = [...new Set(hits.map(({ workspaceId }) => workspaceId))];
    const revisions = await Promise.all(workspaceIds.map((id) => this.revisions.read(id, 'metadata')));
    return new Map(workspaceIds.map((id, index) => [id, revisions[index]]));
  }
}

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
