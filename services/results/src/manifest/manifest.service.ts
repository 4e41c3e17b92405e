import { Injectable } from '@nestjs/common';
import type { Manifest, StoredPage } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { ManifestRepository } from './manifest.repository.js';
import type { RowRange } from './manifest.types.js';

/** What a reader needs to know of results: how far they are, and where their rows lie. */
@Injectable()
export class ManifestService {
  constructor(private readonly repository: ManifestRepository) {}

  /** What is unknown, or another workspace's, is left out. */
  async manifests(runIds: readonly string[], workspaceId: string, withInline: boolean): Promise<Manifest[]> {
    const found = await this.repository.find(runIds, workspaceId, withInline);
    return found.map(({ manifest }) => manifest);
  }

  /**
   * Where rows of a run lie: inline in the manifest, or in the pages named. No manifest: nothing has been written.
   * @throws AppError result.expired
   */
  async locate(
    runId: string,
    workspaceId: string,
    range: RowRange,
  ): Promise<{ manifest: Manifest | undefined; pages: StoredPage[] }> {
    const [found] = await this.repository.find([runId], workspaceId, true);
    if (!found) return { manifest: undefined, pages: [] };
    const { manifest, pageCount } = found;
    if (manifest.state === 'EXPIRED')
      throw new AppError('result.expired', 'The result has expired. Run the query again.');
    // The count was read first and pages are only ever added, so every row it counts is found.
    const hasPages = pageCount > 0 && range.fromRow < manifest.rowCount;
    return { manifest, pages: hasPages ? await this.repository.locate(runId, manifest.fence, range) : [] };
  }
}
