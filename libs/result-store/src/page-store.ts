import { createHash } from 'node:crypto';
import { openBytes, sealBytes, type DataKeys } from '#libs/encryption';
import { corrupt, storeUnavailable, type ObjectStore } from './object-store.js';
import type { PageCopies } from './page-copies.js';
import { objectKey, runKey, wholeNumber, type PagePlace } from './page-place.js';
import { ResultStore } from './result-store.js';

/** What was stored, as the page table keeps it. */
export interface StoredObject {
  readonly byteCount: number;
  /** SHA-256 of the stored bytes. */
  readonly checksum: Uint8Array;
}

type TryPlace = Omit<PagePlace, 'page'>;

/**
 * Pages of results, sealed with the data key of their workspace and bound to their place. A page is written once, whole,
 * and never replaced; a reader names the checksum that the page table has, and is given those bytes or an error.
 */
export class PageStore extends ResultStore {
  constructor(
    objects: ObjectStore,
    private readonly keys: DataKeys,
    private readonly copies?: PageCopies,
  ) {
    super(objects);
  }

  /** Stores a page. The same page again is harmless; other bytes at a taken place are refused. */
  async put(place: PagePlace, bytes: Uint8Array): Promise<StoredObject> {
    const key = objectKey(place);
    const sealed = await this.seal(place, String(place.page), bytes);
    if (await this.objects.create(key, sealed)) return storedObject(sealed);
    // A first answer may have been lost. Each sealing differs, so it is what is sealed that must be the same.
    const present = await this.objects.read(key);
    if (!present) throw storeUnavailable(`${key} cannot be written`, new Error('another write is under way'));
    if (!this.open(place, String(place.page), present).equals(bytes)) throw corrupt(`${key} is there and is another`);
    return storedObject(present);
  }

  /**
   * The bytes of a page, proven to be those that were committed; of a copy too, which is passed over where it is not the same.
   * @param isShared whether others are likely to read it about now: then a copy is looked for, and kept
   * @throws AppError result.corrupt where they are not there or not the same
   */
  async get(place: PagePlace, checksum: Uint8Array, isShared = false): Promise<Uint8Array> {
    const copies = isShared ? this.copies : undefined;
    const copy = await copies?.read(place);
    if (copy && sha256(copy).equals(checksum)) return this.open(place, String(place.page), copy);
    const key = objectKey(place);
    const sealed = await this.objects.read(key);
    if (sealed === undefined) throw corrupt(`page ${key} is missing`);
    if (!sha256(sealed).equals(checksum)) throw corrupt(`page ${key} is not what was committed`);
    copies?.keep(place, sealed);
    return this.open(place, String(place.page), sealed);
  }

  /** Seals the one page of a result that travels inside its manifest. */
  async sealInline(place: TryPlace, bytes: Uint8Array): Promise<Uint8Array> {
    return this.seal(place, 'inline', bytes);
  }

  /** @throws AppError result.corrupt where it is not the inline page of that try */
  openInline(place: TryPlace, sealed: Uint8Array): Uint8Array {
    return this.open(place, 'inline', sealed);
  }

  private async seal(place: TryPlace, name: string, bytes: Uint8Array): Promise<Buffer> {
    return sealBytes(bytes, await this.keys.get(place.workspaceId), sealedFor(place, name));
  }

  private open(place: TryPlace, name: string, sealed: Uint8Array): Buffer {
    try {
      return openBytes(sealed, this.keys.masterKeys, sealedFor(place, name));
    } catch (error) {
      throw corrupt(`page ${runKey(place)}/${place.fence}/${name} cannot be opened`, error);
    }
  }
}

/** A run has a key of its own, and each page is bound to its place: one that was moved does not open. */
function sealedFor(place: TryPlace, name: string): { group: string; name: string } {
  return { group: runKey(place), name: `${wholeNumber('fence', place.fence)}/${name}` };
}

function storedObject(sealed: Uint8Array): StoredObject {
  return { byteCount: sealed.byteLength, checksum: sha256(sealed) };
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
