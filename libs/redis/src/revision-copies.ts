import type { RedisConnections } from './redis-connections.js';
import { RedisScript } from './redis-script.js';

const raiseRevision = RedisScript.load(new URL('./lua/raise-revision.lua', import.meta.url), 1);

/** What a workspace has revisions of. `metadata`: its data sources, saved queries and policies. */
export type RevisionName = 'metadata';

/**
 * Copies of revisions whose truth is in PostgreSQL: whoever keeps something in memory compares the copy with the revision
 * that it belongs to. A copy may be lost or fall back with its Redis, so nothing is kept by it for longer than a stated
 * time.
 */
export class RevisionCopies {
  constructor(private readonly redis: RedisConnections) {}

  /** Undefined where there is none, or Redis does not answer: then nothing that was kept counts. */
  async read(workspaceId: string, name: RevisionName): Promise<number | undefined> {
    if (!this.redis.isReady('broker')) return undefined;
    const value = await this.redis
      .client('broker')
      .hget(this.redis.keys.revisions(workspaceId), name)
      .catch(() => null);
    return value === null ? undefined : Number(value);
  }

  /** @throws where Redis does not take it */
  async raise(workspaceId: string, name: RevisionName, revision: number): Promise<void> {
    await raiseRevision.run(this.redis.call('broker'), this.redis.keys.revisions(workspaceId), name, revision);
  }
}
