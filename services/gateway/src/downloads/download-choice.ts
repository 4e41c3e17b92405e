export const downloadFormats = ['CSV', 'TSV', 'JSON', 'NDJSON', 'XLSX', 'PARQUET', 'ARROW'] as const;

export type DownloadFormat = (typeof downloadFormats)[number];

/** What is to be downloaded, and how it is to be written. */
export interface DownloadChoice {
  readonly executionId: string;
  readonly format: DownloadFormat;
  /** The places of the columns in the result, in this order; null for all. */
  readonly columns: readonly number[] | null;
  /** Whether text that a spreadsheet would take for a formula is written so that it does not. */
  readonly escapesFormulas: boolean;
}
