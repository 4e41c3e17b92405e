import type { Manifest } from '#libs/contracts';

/** Who asks: a workspace, or a service on behalf of all of them. */
export type Scope = { readonly workspaceId: string } | 'every workspace';

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
