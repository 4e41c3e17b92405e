import { Injectable } from '@nestjs/common';
import { RevisionHistoryRepository, type RevisionPlace } from './revision-history.repository.js';

/** However long the table is, a sweep looks at so much of it; the next goes on from there. */
const batchesMax = 20;
const start: RevisionPlace = { workspaceId: '', subject: '' };

/** Keeps what was invalidated for as long as a run from before may answer. */
@Injectable()
export class RevisionHistoryService {
  private place = start;

  constructor(private readonly repository: RevisionHistoryRepository) {}

  /** @returns how many went */
  async purge(signal: AbortSignal): Promise<number> {
    await this.repository.note();
    let count = 0;
    for (let batch = 0; batch < batchesMax && !signal.aborted; batch += 1) {
      const { next, goneCount } = await this.repository.purge(this.place);
      count += goneCount;
      this.place = next ?? start;
      if (!next) break;
    }
    return count;
  }
}
