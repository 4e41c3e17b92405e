import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Execution, Manifest } from '#libs/contracts';
import type { Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';

const bytesMax = 16 * 1024 * 1024;
/** Of a manifest without rows, as it lies in memory; a rough measure is enough for a bound. */
const columnBytes = 200;
/**
 * Those who come back together, as after a gateway's end, do so within seconds. Longer would only give the rows of a small
 * result for longer after a limit of its workspace has ended its time.
 */
const ageMsMax = 30_000;

/** Manifests of whole results, with the rows of small ones: nothing of them changes any more, until they expire. */
@Injectable()
export class CompleteManifests {
  private readonly known: LRUCache<string, Manifest>;

  constructor(@Inject(CLOCK) private readonly clock: Clock) {
    this.known = new LRUCache({
      maxSize: bytesMax,
      sizeCalculation: ({ inline, columns }) => (inline?.byteLength ?? 0) + (columns.length + 1) * columnBytes,
      ttl: ageMsMax,
      // Otherwise it looks at its own clock, and at that only once in a while.
      perf: { now: () => clock.monotonicMs() },
      ttlResolution: 0,
    });
  }

  get({ workspaceId, runId }: Execution): Manifest | undefined {
    const manifest = this.known.get(`${workspaceId}/${runId}`);
    const isExpired = manifest?.expiresAt !== undefined && manifest.expiresAt.getTime() <= this.clock.nowMs();
    return isExpired ? undefined : manifest;
  }

  /** Keeps it where it is that of a whole result, as it was read now: its age begins anew. */
  keep(manifest: Manifest): void {
    if (manifest.state === 'COMPLETE') this.known.set(`${manifest.workspaceId}/${manifest.runId}`, manifest);
  }
}
