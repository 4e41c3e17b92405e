import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { Clock } from '#libs/kernel';
import { CLOCK, PeriodicTask, PeriodicTasks } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { ResultsConfig } from '../results.config.js';
import { keptBytesSweep, RetentionRepository } from './retention.repository.js';
import { RetentionService } from './retention.service.js';

/** Does the periodic work for as long as the process serves; of all processes one takes each turn. */
@Injectable()
export class RetentionLoop extends PeriodicTasks {
  constructor(
    service: RetentionService,
    repository: RetentionRepository,
    logger: AppLogger,
    @Inject(CLOCK) clock: Clock,
    @InjectConfig() { retention }: ResultsConfig,
  ) {
    const inTurn = (name: string, seconds: number, sweep: (signal: AbortSignal) => Promise<unknown>): PeriodicTask => {
      const work = async (signal: AbortSignal): Promise<void | 'left'> => {
        if (!(await repository.claimSweep(name, seconds))) return 'left';
        await sweep(signal);
      };
      // Never shorter than the period, or the turn of the one before would not be over yet.
      return new PeriodicTask({ name, everyMs: seconds * 1_100, jitter: 0.09, work }, logger);
    };
    super(
      inTurn('expiry', retention.expirySweepSeconds, (signal) => service.expire(signal)),
      inTurn('limits', retention.limitSweepSeconds, () => service.holdToLimits()),
      inTurn(keptBytesSweep, retention.limitSweepSeconds, () => service.measureKeptBytes()),
      inTurn('orphans', retention.orphanSweepSeconds, (signal) => service.sweepOrphans(clock.nowMs(), signal)),
    );
  }
}
