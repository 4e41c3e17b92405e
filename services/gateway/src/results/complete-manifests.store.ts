import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Execution, Manifest } from '#libs/contracts';

const bytesMax = 16 * 1024 * 1024;
/** Of a manifest without rows, as it lies in memory; a rough measure is enough for a bound. */
const columnBytes = 200;
/** Data in memory has a maximum age, also where it never changes: what was deleted for a reason is gone then. */
const ageMsMax = 10 * 60_000;

/** Manifests of whole results, with the rows of small ones: nothing of them changes any more, until they expire. */
@Injectable()
export class CompleteManifests {
  private readonly known = new LRUCache<string, Manifest>({
    maxSize: bytesMax,
    sizeCalculation: ({ inline, columns }) => (inline?.byteLength ?? 0) + (columns.length + 1) * columnBytes,
    ttl: ageMsMax,
  });

  get({ workspaceId, runId }: Execution): Manifest | undefined {
    const manifest = this.known.get(`${workspaceId}/${runId}`);
    const isExpired = manifest?.expiresAt !== undefined && manifest.expiresAt.getTime() <= Date.now();
    return isExpired ? undefined : manifest;
  }

  /** Keeps it where it is that of a whole result. */
  keep(manifest: Manifest): void {
    if (manifest.state === 'COMPLETE') this.known.set(`${manifest.workspaceId}/${manifest.runId}`, manifest);
  }
}
