import type { ByteWriter } from '#libs/result-store';
import type { RowBytes } from './row-reader.js';

/**
 * A format of rows one after the other. Each row's text depends on nothing but the row and its place, so that the same
 * bytes can be made again from any page on. Values go from page to file as bytes: made into strings, they would be most of the work
 * of a download.
 */
export interface TextWriter {
  readonly head: string;
  row(row: RowBytes, out: ByteWriter, rowNumber: number): void;
  readonly tail: string;
}
