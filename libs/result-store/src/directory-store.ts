import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  corrupt,
  objectBytesMax,
  storeFull,
  storeUnavailable,
  type ObjectStore,
  type StoredRun,
} from './object-store.js';
import { errorCodeOf, writeNewFile } from './store-files.js';
import { directoriesOf, listStoredRuns } from './stored-runs.js';

/** The disk is full, or the quota of whoever we run as. */
const noRoom = new Set(['ENOSPC', 'EDQUOT']);

/** Objects as files under one directory that all services see. */
export class DirectoryStore implements ObjectStore {
  readonly name: string;

  constructor(private readonly root: string) {
    this.name = root;
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    try {
      await writeNewFile(join(this.root, key), bytes);
      return true;
    } catch (error) {
      if (errorCodeOf(error) === 'EEXIST') return false;
      if (noRoom.has(errorCodeOf(error) ?? '')) throw storeFull(`${key} cannot be written`, error);
      throw storeUnavailable(`${key} cannot be written`, error);
    }
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    try {
      await using file = await open(join(this.root, key));
      const { size } = await file.stat();
      if (size > objectBytesMax) throw corrupt(`${key} has ${size} bytes`);
      return await file.readFile();
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return undefined;
      throw errorCodeOf(error) === 'result.corrupt' ? error : storeUnavailable(`${key} cannot be read`, error);
    }
  }

  namesBelow(key: string): AsyncIterable<string> {
    return directoriesOf(join(this.root, key));
  }

  async removeBelow(key: string): Promise<void> {
    try {
      await rm(join(this.root, key), { recursive: true, force: true });
    } catch (error) {
      throw storeUnavailable(`${key} cannot be deleted`, error);
    }
  }

  listRuns(): AsyncIterable<StoredRun> {
    return listStoredRuns(this.root);
  }

  /** Nothing is held between calls. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
