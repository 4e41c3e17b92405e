import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { WarmUp } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { newId } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { concerns } from '../cache/cache-subjects.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';
import { MetadataClient } from '../source/metadata.client.js';
import type { AskingContext } from '../submission/submission.types.js';
import { SubmitService } from '../submission/submit.service.js';
import { WarmUpActors } from './warm-up-actors.js';
import { outcomeOf, pauseSeconds, type WarmUpOutcome } from './warm-up-outcome.js';
import { WarmUpRepository, type DueWarmUp } from './warm-up.repository.js';

const submitTimeoutMs = 10_000;
/** What could not be run for so long is run when somebody asks for it. */
const ageSecondsMax = 3_600;

/**
 * Asks chosen saved queries again when what they stand on was invalidated: each as the one who has changed it last, so that
 * its result is what that person would see and answers those who see the same. The cache decides what is run: what was not
 * invalidated is a hit, and what somebody has begun meanwhile is shared. So doing it twice does no harm.
 */
@Injectable()
export class WarmUpService {
  private readonly asked;

  constructor(
    private readonly repository: WarmUpRepository,
    private readonly metadata: MetadataClient,
    private readonly auth: AuthClient,
    private readonly verifier: TokenVerifier,
    private readonly submissions: SubmitService,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
    metrics: MetricsRegistry,
  ) {
    this.asked = metrics.counter({
      name: 'warm_ups_total',
      help: 'Saved queries asked again after an invalidation, by what came of it.',
      labels: ['outcome'],
    });
  }

  /** Takes up what is due, one workspace after the other. */
  async runDue(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const due = await this.repository.claim();
      if (!due) return;
      if (due.ageSeconds > ageSecondsMax || this.config.cache.warmUpMax === 0) await this.repository.finish(due);
      else await this.warmUp(due, signal);
    }
  }

  private async warmUp(due: DueWarmUp, signal: AbortSignal): Promise<void> {
    const { workspaceId } = due;
    const done = new Set(due.done);
    let laterSeconds: number | undefined;
    try {
      laterSeconds = await this.askConcerned(due, done, signal);
    } catch (err) {
      this.logger.warn({ err, workspaceId }, 'a workspace could not be warmed up and is tried again');
      laterSeconds = pauseSeconds.usual;
    }
    if (laterSeconds === undefined) await this.repository.finish(due);
    else await this.repository.postpone(due, [...done], laterSeconds);
  }

  /**
   * Asks as many of the queries as are asked at once, and notes those that are done.
   * @returns in how many seconds there is more to do; undefined: never
   */
  private async askConcerned(due: DueWarmUp, done: Set<string>, signal: AbortSignal): Promise<number | undefined> {
    const { workspaceId } = due;
    const subjects = new Set(due.subjects);
    const actors = new WarmUpActors(workspaceId, this.auth, this.verifier);
    const doneMax = done.size + this.config.cache.warmUpMax;
    let laterSeconds = Infinity;
    for await (const query of this.metadata.listWarmUps(workspaceId)) {
      if (done.has(query.savedQueryId) || !concerns(query, subjects)) continue;
      if (signal.aborted) return 0;
      if (done.size >= doneMax) return Math.min(laterSeconds, pauseSeconds.usual);
      const outcome = await this.ask(workspaceId, query, actors);
      this.asked.inc({ outcome: typeof outcome === 'string' ? outcome : 'later' });
      if (typeof outcome === 'string') done.add(query.savedQueryId);
      else if (outcome.stops) return outcome.laterSeconds;
      else laterSeconds = Math.min(laterSeconds, outcome.laterSeconds);
    }
    return laterSeconds === Infinity ? undefined : laterSeconds;
  }

  private async ask(
    workspaceId: string,
    { savedQueryId, userId }: WarmUp,
    actors: WarmUpActors,
  ): Promise<WarmUpOutcome> {
    try {
      const { principal, accessToken } = await actors.get(userId);
      const context: AskingContext = {
        workspaceId,
        requestId: newId('request'),
        actor: { case: 'accessToken', value: accessToken },
        signal: AbortSignal.timeout(submitTimeoutMs),
        isWarmUp: true,
      };
      const query = { case: 'savedQuery', value: { id: savedQueryId } } as const;
      // Limits are in the cache's key: with those of a schedule it would answer nobody who looks at a dashboard.
      await this.submissions.submit({ query, priority: 'INTERACTIVE', queryOptions: [] }, principal, context);
      return 'asked';
    } catch (err) {
      const outcome = outcomeOf(err);
      this.logger.info({ err, workspaceId, savedQueryId, outcome }, 'a saved query was not warmed up');
      return outcome;
    }
  }
}
