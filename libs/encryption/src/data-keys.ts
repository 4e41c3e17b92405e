import { LRUCache } from 'lru-cache';
import { unwrapDataKey, type DataKey, type WrappedDataKey } from './data-key.js';
import type { MasterKeys } from './master-keys.js';

const workspacesMax = 1_000;
/** A workspace that gets a new data key seals with it from then on. */
const defaultAgeMs = 10 * 60_000;

/** The data keys of workspaces: kept by auth under the master key, opened here with the master key of our own settings. */
export class DataKeys {
  private readonly keys: LRUCache<string, DataKey>;

  constructor(
    readonly masterKeys: MasterKeys,
    ask: (workspaceId: string) => Promise<WrappedDataKey>,
    ageMsMax = defaultAgeMs,
  ) {
    this.keys = new LRUCache({
      max: workspacesMax,
      ttl: ageMsMax,
      fetchMethod: async (workspaceId, older) => {
        try {
          return unwrapDataKey(await ask(workspaceId), masterKeys, workspaceId);
        } catch (error) {
          // An older key seals as well as a newer one, and auth may be away for a moment.
          if (older) return older;
          throw error;
        }
      },
    });
  }

  /** For those who only open what others have sealed, which carries its key. */
  static forReading(masterKeys: MasterKeys): DataKeys {
    return new DataKeys(masterKeys, () => Promise.reject(new Error('who only reads has no data keys')));
  }

  /** Asked for once by all who want it at the same time; a failure is not remembered. */
  async get(workspaceId: string): Promise<DataKey> {
    return this.keys.forceFetch(workspaceId);
  }
}
