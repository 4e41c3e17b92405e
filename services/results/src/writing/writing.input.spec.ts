import { describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { inlineBytesMax } from '#libs/result-store';
import { parsePage, parseSeal, parseTry } from './writing.input.js';

const run = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1 };
const columns = [{ name: 'n', type: 'INTEGER' as const, nullable: false }];
const page = { number: 0, firstRow: 0, rowCount: 1, byteCount: 1, checksum: new Uint8Array(32) };
const seal = { ...run, columns, rowCount: 0, byteCount: 9, truncated: false, pageCount: 0, inline: new Uint8Array(9) };

describe('what a worker writes', () => {
  it('names a workspace and a run by their ids, so that nothing else becomes a path', () => {
    expect(parseTry({ ...run })).toEqual(run);
    for (const wrong of [{ workspaceId: '..' }, { runId: '../x' }, { runId: newId('execution') }, { fence: 0 }]) {
      expect(() => parseTry({ ...run, ...wrong })).toThrowError(expect.objectContaining({ code: 'input.invalid' }));
    }
  });

  it('is a page with rows, a place and a checksum, and with columns where it is the first', () => {
    expect(parsePage({ ...run, page, columns })).toEqual({ ...run, page, columns });
    expect(parsePage({ ...run, page: { ...page, number: 1 }, columns: [] }).page.number).toBe(1);
    expect(() => parsePage({ ...run, page, columns: [] })).toThrowError(/columns/);
    expect(() => parsePage({ ...run, page: undefined, columns })).toThrowError(/page/);
    for (const wrong of [
      { number: -1 },
      { firstRow: -1 },
      { rowCount: 0 },
      { byteCount: 0 },
      { checksum: new Uint8Array(20) },
    ]) {
      expect(() => parsePage({ ...run, page: { ...page, ...wrong }, columns })).toThrowError(/page/);
    }
  });

  it('is sealed with all rows inline or all in pages, never both and never neither', () => {
    expect(parseSeal(seal)).toEqual(seal);
    expect(() => parseSeal({ ...seal, pageCount: 1 })).toThrowError(/inline/);
    expect(() => parseSeal({ ...seal, inline: undefined })).toThrowError(/inline/);
    expect(() => parseSeal({ ...seal, inline: new Uint8Array(inlineBytesMax + 1) })).toThrowError(/inline/);
    expect(() => parseSeal({ ...seal, columns: [] })).toThrowError(/columns/);
  });
});
