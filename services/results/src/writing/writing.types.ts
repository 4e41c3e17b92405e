import type { Column, StoredPage } from '#libs/contracts';

/** Whose rows: one try of one run. */
export interface RunTry {
  readonly workspaceId: string;
  readonly runId: string;
  readonly fence: number;
}

/** A page to be made readable. */
export interface NewPage extends RunTry {
  readonly page: StoredPage;
  readonly columns: readonly Column[];
}

/** A result that has all its rows. */
export interface NewSeal extends RunTry {
  readonly columns: readonly Column[];
  readonly rowCount: number;
  readonly byteCount: number;
  readonly truncated: boolean;
  readonly pageCount: number;
  /** All rows as one encoded page, where there are no stored ones. */
  readonly inline: Uint8Array | undefined;
}

/** How far the rows of a run can be read. */
export interface Progress {
  readonly rowCount: number;
  readonly byteCount: number;
}

/** What has become of a run's result so far; `NONE` where nothing was written. */
export type WritingState = 'NONE' | 'WRITING' | 'COMPLETE' | 'PARTIAL';

/** Where a run's result stands, read after something was not taken in order to say why. */
export interface Standing extends RunTry, Progress {
  readonly closedFence: number;
  readonly state: WritingState;
  readonly pageCount: number;
  readonly truncated: boolean;
  /** SHA-256 of the inline rows. */
  readonly inlineChecksum: Uint8Array | undefined;
}
