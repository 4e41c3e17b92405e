import type { Manifest } from '#libs/contracts';

/** A manifest and how its rows are stored. */
export interface StoredManifest {
  readonly manifest: Manifest;
  readonly pageCount: number;
}

/** A run of rows. */
export interface RowRange {
  readonly fromRow: number;
  readonly rowCount: number;
}
