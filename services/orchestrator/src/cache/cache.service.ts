import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RequestOf, runRequests } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { invalidatedSubjects, warmUpSubjects } from './cache-subjects.js';
import { CacheMetrics } from './cache.metrics.js';
import { CacheRepository } from './cache.repository.js';

const subjectsMax = 1_000;
const subjectLengthMax = 1_000;
const nothingNamed = 'Name at least one of dataSourceIds, tables, savedQueryIds and tags, in a body that is JSON.';

@Injectable()
export class CacheService {
  constructor(
    private readonly repository: CacheRepository,
    private readonly metrics: CacheMetrics,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /**
   * Has kept results forgotten. What is named need not exist: a load may tell of a table that nobody has asked for yet.
   * @throws AppError `input.invalid` where nothing is named, or too much
   */
  async invalidate(input: RequestOf<typeof runRequests.invalidateCache>, principal: Principal): Promise<number> {
    const nameless = input.tables.findIndex(({ table }) => !table?.name);
    if (nameless >= 0) {
      const path = ['tables', String(nameless), 'table', 'name'];
      throw new AppError('input.invalid', 'A table has a name.', { path });
    }
    const subjects = [...new Set(invalidatedSubjects(input))];
    const isTooLong = subjects.some((subject) => subject.length > subjectLengthMax || subject.includes('\0'));
    if (subjects.length === 0) throw new AppError('input.invalid', nothingNamed, { path: [] });
    if (subjects.length > subjectsMax || isTooLong) {
      throw new AppError('input.too_large', `At most ${subjectsMax} names of ${subjectLengthMax} characters.`);
    }
    const { ttlMaxSeconds, warmUpMax, warmUpDelaySeconds: delaySeconds } = this.config.cache;
    const warmUp = warmUpMax > 0 ? { subjects: warmUpSubjects(subjects), delaySeconds } : undefined;
    const count = await this.repository.invalidate(principal.workspaceId, subjects, 2 * ttlMaxSeconds, warmUp);
    this.metrics.hasInvalidated(count);
    this.logger.info({ subjects: subjects.length, count }, 'kept results were invalidated');
    return count;
  }
}
