import { DataKeys, MasterKeys, newDataKey } from '#libs/encryption';
import { DirectoryStore, PageStore } from '#libs/result-store';

/** As SLUICE_MASTER_KEYS has it. */
export const testMasterKeys = `k1:${Buffer.alloc(32, 7).toString('base64')}`;

/** Data keys as auth would have them, under the master key above. */
export function testDataKeys(masterKeysText = testMasterKeys): DataKeys {
  const masterKeys = MasterKeys.parse(masterKeysText);
  return new DataKeys(masterKeys, async (workspaceId) => newDataKey(masterKeys, workspaceId));
}

/** A store of pages in a directory, which a service with the master key above can read. */
export function testPageStore(directory: string): PageStore {
  return new PageStore(new DirectoryStore(directory), testDataKeys());
}
