import type { PagePlace } from './page-place.js';

/** Copies of stored pages nearer to those who read them, sealed as the pages are. Any of them may be missing, gone or wrong at any moment. */
export interface PageCopies {
  /** Never fails: undefined where there is none, or none that comes soon. */
  read(place: PagePlace): Promise<Uint8Array | undefined>;

  /** In the background, where there is room for it. */
  keep(place: PagePlace, sealed: Uint8Array): void;
}
