import { storeUnavailable, type ObjectStore, type StoredRun } from './object-store.js';
import { runKey, wholeNumber, type PagePlace } from './page-place.js';

type RunPlace = Pick<PagePlace, 'workspaceId' | 'runId'>;

/** The object in the store's root that says which store it is. */
const markerKey = '.sluice-store';

/** What can be done with a store of results without a key to what is in it. */
export class ResultStore {
  constructor(protected readonly objects: ObjectStore) {}

  /** Deletes whatever a run has stored. */
  async deleteRun(run: RunPlace): Promise<void> {
    await this.objects.removeBelow(runKey(run));
  }

  /** Deletes what every other try of a run has stored; undefined keeps none. */
  async keepOnlyFence(run: RunPlace, fence: number | undefined): Promise<void> {
    if (fence === undefined) return this.deleteRun(run);
    const kept = wholeNumber('fence', fence);
    for await (const name of this.objects.namesBelow(runKey(run))) {
      if (name !== kept) await this.objects.removeBelow(`${runKey(run)}/${name}`);
    }
  }

  /** Every run that has anything here, and when that last changed. In no order, and never all in memory. */
  listRuns(): AsyncIterable<StoredRun> {
    return this.objects.listRuns();
  }

  /** Which store this is, or undefined where it has not been marked yet. */
  async identity(): Promise<string | undefined> {
    const marker = await this.objects.read(markerKey);
    return marker && Buffer.from(marker).toString('utf8').trim();
  }

  /** Marks a new store. Of several that do so at once one wins; the answer is what the store is now. */
  async mark(identity: string): Promise<string> {
    if (await this.objects.create(markerKey, Buffer.from(`${identity}\n`))) return identity;
    const found = await this.identity();
    if (found === undefined) throw storeUnavailable('the marker', new Error('it was there and is gone'));
    return found;
  }

  /**
   * Refuses a store that is not the one the results service has.
   * @throws AppError result.store_unavailable
   */
  async prove(identity: string): Promise<void> {
    const found = await this.identity();
    if (found === identity) return;
    const fault = found === undefined ? 'it has no marker' : `its marker says ${found}`;
    throw storeUnavailable(`${this.objects.name} is not the result store ${identity}`, new Error(fault));
  }

  close(): Promise<void> {
    return this.objects.close();
  }
}
