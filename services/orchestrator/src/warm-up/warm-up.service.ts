import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { WarmUp } from '#libs/contracts';
import { TokenVerifier, type Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { concerns } from '../cache/cache-subjects.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';
import { MetadataClient } from '../source/metadata.client.js';
import type { AskingContext } from '../submission/submission.types.js';
import { SubmitService } from '../submission/submit.service.js';
import { WarmUpRepository, type DueWarmUp } from './warm-up.repository.js';

const submitTimeoutMs = 10_000;
/** What could not be run for so long is run when somebody asks for it. */
const ageSecondsMax = 3_600;
const pauseSeconds = { min: 5, usual: 30, max: 300 };

type Outcome = 'asked' | 'refused' | { readonly laterSeconds: number };
type Actor = { readonly principal: Principal; readonly accessToken: string };

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
      if (due.ageSeconds > ageSecondsMax) await this.repository.finish(due);
      else await this.warmUp(due, signal);
    }
  }

  private async warmUp(due: DueWarmUp, signal: AbortSignal): Promise<void> {
    const { workspaceId } = due;
    const subjects = new Set(due.subjects);
    const done = [...due.done];
    const actors = new Map<string, Promise<Actor>>();
    let laterSeconds: number | undefined;
    try {
      for (const query of await this.metadata.listWarmUps(workspaceId, this.config.cache.warmUpMax)) {
        if (signal.aborted) laterSeconds = 0;
        if (signal.aborted || done.includes(query.savedQueryId) || !concerns(query, subjects)) continue;
        const outcome = await this.ask(workspaceId, query, actors);
        if (typeof outcome === 'string') done.push(query.savedQueryId);
        else laterSeconds = Math.min(laterSeconds ?? Infinity, outcome.laterSeconds);
        this.asked.inc({ outcome: typeof outcome === 'string' ? outcome : 'later' });
      }
    } catch (err) {
      this.logger.warn({ err, workspaceId }, 'a workspace could not be warmed up and is tried again');
      laterSeconds = pauseSeconds.usual;
    }
    if (laterSeconds === undefined) await this.repository.finish(due);
    else await this.repository.postpone(due, done, laterSeconds);
  }

  private async ask(
    workspaceId: string,
    { savedQueryId, userId }: WarmUp,
    actors: Map<string, Promise<Actor>>,
  ): Promise<Outcome> {
    const actor = actors.get(userId) ?? this.actorOf(workspaceId, userId);
    actors.set(userId, actor);
    try {
      const { principal, accessToken } = await actor;
      const context: AskingContext = {
        workspaceId,
        requestId: newId('request'),
        actor: { case: 'accessToken', value: accessToken },
        signal: AbortSignal.timeout(submitTimeoutMs),
      };
      const query = { case: 'savedQuery', value: { id: savedQueryId } } as const;
      // Limits are in the cache's key: with those of a schedule it would answer nobody who looks at a dashboard.
      const limits = { timeoutSeconds: this.config.limits.timeoutDefaultSeconds };
      await this.submissions.submit({ query, priority: 'SCHEDULED', limits, queryOptions: [] }, principal, context);
      return 'asked';
    } catch (err) {
      if (err instanceof AppError && err.retryable) return { laterSeconds: pauseOf(err) };
      // Such as a parameter without a default, or an owner who may no longer run it.
      this.logger.info({ err, workspaceId, savedQueryId }, 'a saved query was not warmed up');
      return 'refused';
    }
  }

  private async actorOf(workspaceId: string, userId: string): Promise<Actor> {
    const accessToken = await this.auth.actFor(workspaceId, userId);
    return { accessToken, principal: await this.verifier.verify(accessToken) };
  }
}

function pauseOf({ retryAfterSeconds = pauseSeconds.usual }: AppError): number {
  return Math.min(pauseSeconds.max, Math.max(pauseSeconds.min, retryAfterSeconds));
}
