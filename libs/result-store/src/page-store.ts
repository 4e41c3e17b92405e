import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#libs/kernel';
import { objectKey, runKey, wholeNumber, type PagePlace } from './page-place.js';
import { errorCodeOf, storeUnavailable, writeNewFile } from './store-files.js';
import { createMarker, readMarker } from './store-marker.js';
import { directoriesOf, listStoredRuns, type StoredRun } from './stored-runs.js';

export type { StoredRun } from './stored-runs.js';

/** What was stored, as the page table keeps it. */
export interface StoredObject {
  readonly byteCount: number;
  /** SHA-256 of the stored bytes. */
  readonly checksum: Uint8Array;
}

/**
 * Pages as files under one directory that all services see, at `<workspace>/<run>/<fence>/<page>`. A page is written
 * once, whole, and never replaced; a reader names the checksum that the page table has, and is given those bytes or
 * an error. Another kind of store has the same methods over the same keys.
 */
export class PageStore {
  constructor(private readonly root: string) {}

  /** Stores a page. The same page again is harmless; other bytes at a taken place are refused. */
  async put(place: PagePlace, bytes: Uint8Array): Promise<StoredObject> {
    const key = objectKey(place);
    const stored: StoredObject = { byteCount: bytes.byteLength, checksum: sha256(bytes) };
    try {
      await writeNewFile(join(this.root, key), bytes);
    } catch (error) {
      if (errorCodeOf(error) !== 'EEXIST') throw storeUnavailable(`page ${key} cannot be written`, error);
      await this.assertSame(key, stored.checksum);
    }
    return stored;
  }

  /**
   * The bytes of a page, proven to be those that were committed.
   * @throws AppError result.corrupt where they are not there or not the same
   */
  async get(place: PagePlace, checksum: Uint8Array): Promise<Uint8Array> {
    const key = objectKey(place);
    const bytes = await this.read(key);
    if (bytes === undefined) throw corrupt(`page ${key} is missing`);
    if (!sha256(bytes).equals(checksum)) throw corrupt(`page ${key} is not what was committed`);
    return bytes;
  }

  /** Deletes whatever a run has stored. */
  async deleteRun(place: Pick<PagePlace, 'workspaceId' | 'runId'>): Promise<void> {
    await this.remove(runKey(place));
  }

  /** Deletes what every other try of a run has stored; undefined keeps none. */
  async keepOnlyFence(run: Pick<PagePlace, 'workspaceId' | 'runId'>, fence: number | undefined): Promise<void> {
    if (fence === undefined) return this.deleteRun(run);
    const kept = wholeNumber('fence', fence);
    for await (const name of directoriesOf(join(this.root, runKey(run)))) {
      if (name !== kept) await this.remove(`${runKey(run)}/${name}`);
    }
  }

  /** Every run that has a directory here, and when that last changed. Read a directory at a time, in no order. */
  listRuns(): AsyncIterable<StoredRun> {
    return listStoredRuns(this.root);
  }

  /** Which store this is, or undefined where it has not been marked yet. */
  async identity(): Promise<string | undefined> {
    return readMarker(this.root);
  }

  /** Marks a new store. Of several that do so at once one wins; the answer is what the store is now. */
  async mark(identity: string): Promise<string> {
    return createMarker(this.root, identity);
  }

  /**
   * Refuses a directory that is not the one the results service has.
   * @throws AppError result.store_unavailable
   */
  async prove(identity: string): Promise<void> {
    const found = await this.identity();
    if (found === identity) return;
    const fault = found === undefined ? 'it has no marker' : `its marker says ${found}`;
    throw storeUnavailable(`${this.root} is not the result store ${identity}`, new Error(fault));
  }

  private async assertSame(key: string, checksum: Buffer | Uint8Array): Promise<void> {
    const bytes = await this.read(key);
    if (bytes !== undefined && sha256(bytes).equals(checksum)) return;
    throw corrupt(`page ${key} is there already and is another`);
  }

  private async read(key: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.root, key));
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return undefined;
      throw storeUnavailable(`page ${key} cannot be read`, error);
    }
  }

  private async remove(key: string): Promise<void> {
    try {
      // A deletion that is broken off is finished by the next; its pages are no longer readable by then.
      await rm(join(this.root, key), { recursive: true, force: true });
    } catch (error) {
      throw storeUnavailable(`${key} cannot be deleted`, error);
    }
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function corrupt(reason: string): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', { internalMessage: reason });
}
