import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { TokenBuckets } from '#libs/redis';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { accountOf } from './account-of.js';

type Asker = Pick<Principal, 'workspaceId' | 'userId' | 'guest'>;

/**
 * Holds off a user who asks faster than they may, however each question would be answered. Without Redis everyone may go
 * on: what reaches a data source is limited by the database.
 */
@Injectable()
export class QuestionRate {
  constructor(
    private readonly buckets: TokenBuckets,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /** @throws AppError `run.rate_limited` */
  async take(asker: Asker): Promise<void> {
    const missingSeconds = await this.missingSeconds(asker, 1);
    if (missingSeconds === 0) return;
    throw new AppError('run.rate_limited', 'You ask too many questions at once.', {
      retryable: true,
      retryAfterSeconds: Math.ceil(missingSeconds),
    });
  }

  /** Takes all that is asked at once, or nothing. */
  async takeAll(asker: Asker, count: number): Promise<boolean> {
    return (await this.missingSeconds(asker, count)) === 0;
  }

  /** What was taken for questions that will be asked again. */
  async giveBack(asker: Asker, count: number): Promise<void> {
    await this.missingSeconds(asker, -count);
  }

  private missingSeconds(asker: Asker, count: number): Promise<number> {
    const { questionsPerSecond: perSecond, questionsBurst: burst } = this.config.allowance;
    return this.buckets.take(`${asker.workspaceId}/${accountOf(asker)}`, { perSecond, burst }, count);
  }
}
