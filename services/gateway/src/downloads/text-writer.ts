import type { RowMembers } from './result-pages.js';

/**
 * A format of rows one after the other. Each row's text depends on nothing but the row and its place, so that the same
 * bytes can be made again from any page on.
 */
export interface TextWriter {
  readonly head: string;
  row(members: RowMembers, rowNumber: number): string;
  readonly tail: string;
}
