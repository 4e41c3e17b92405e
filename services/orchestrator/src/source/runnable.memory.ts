import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { MessageContext } from '#libs/bus';
import { metadataRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { MetadataClient } from './metadata.client.js';

type Subject = RequestOf<typeof metadataRequests.resolveRunnable>['subject'];
type Runnable = ResponseOf<typeof metadataRequests.resolveRunnable>;

const knownMax = 1_000;
/** The bound for a copy of a revision that was lost or has fallen back: older than this, nothing kept counts. */
const keptMsMax = 5_000;

/**
 * What may be run, as metadata has it, kept while the revision of the workspace's assets stands: a change is seen by the
 * next question. Who may run it is not kept; the caller's rights are looked at each time.
 */
@Injectable()
export class RunnableMemory {
  private readonly known = new LRUCache<string, Runnable>({ max: knownMax, ttl: keptMsMax, ttlAutopurge: true });

  constructor(
    private readonly metadata: MetadataClient,
    private readonly revisions: RevisionCopies,
    private readonly logger: AppLogger,
  ) {}

  /** @throws AppError `source.not_found`, `saved_query.not_found` */
  async resolve(subject: Subject, context: MessageContext, signal: AbortSignal): Promise<Runnable> {
    const { workspaceId } = context;
    const copy = await this.revisions.read(workspaceId, 'metadata');
    const key = `${workspaceId}/${subject.case ?? ''}/${subject.value ?? ''}`;
    const known = this.known.get(key);
    if (known && known.revision === copy) return known;
    const askedAt = performance.now();
    const runnable = await this.metadata.resolveRunnable(subject, context, signal);
    // Counted from the question: the answer may be as old.
    this.known.set(key, runnable, { start: askedAt });
    if (copy === undefined || copy < runnable.revision) await this.restore(workspaceId, runnable.revision);
    return runnable;
  }

  private async restore(workspaceId: string, revision: number): Promise<void> {
    await this.revisions
      .raise(workspaceId, 'metadata', revision)
      .catch((err: unknown) => this.logger.warn({ err, workspaceId }, 'the copy of a revision could not be restored'));
  }
}
