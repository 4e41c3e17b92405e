import { describe, expect, it } from 'vitest';
import type { StoredPage } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { refusalOfPage, refusalOfSeal } from './refusal.js';
import type { NewPage, NewSeal, Standing } from './writing.types.js';

const run = { workspaceId: newId('workspace'), runId: newId('run'), fence: 2 };
const checksum = new Uint8Array(32).fill(7);
const page: StoredPage = { number: 1, firstRow: 10, rowCount: 10, byteCount: 5, checksum };
const asked: NewPage = { ...run, page, columns: [] };
const writing: Standing = {
  ...run,
  closedFence: 0,
  state: 'WRITING',
  pageCount: 2,
  rowCount: 20,
  byteCount: 10,
  truncated: false,
  inlineChecksum: undefined,
};
const seal: NewSeal = {
  ...run,
  columns: [],
  rowCount: 20,
  byteCount: 10,
  truncated: false,
  pageCount: 2,
  inline: undefined,
};
const complete: Standing = { ...writing, state: 'COMPLETE' };

describe('a page that was not taken', () => {
  it('had been taken before where it is the same, also when the result is sealed by now', () => {
    expect(refusalOfPage(asked, writing, page)).toBe('repeated');
    expect(refusalOfPage(asked, complete, page)).toBe('repeated');
  });

  it('is a fault of the writer where it is another, or does not follow on the last', () => {
    const other = { ...page, checksum: new Uint8Array(32) };
    expect(() => refusalOfPage(asked, writing, other)).toThrowError(/does not follow/);
    expect(() => refusalOfPage({ ...asked, page: { ...page, number: 5 } }, writing, undefined)).toThrowError(
      /does not follow/,
    );
    expect(() => refusalOfPage(asked, undefined, undefined)).toThrowError(/does not follow/);
  });

  it.each<[string, Standing]>([
    ['its fence is closed', { ...writing, closedFence: 2 }],
    ['a newer fence is closed', { ...writing, state: 'NONE', fence: 0, closedFence: 3 }],
    ['another try has written', { ...writing, fence: 1 }],
    ['the run has ended', { ...writing, state: 'PARTIAL' }],
  ])('means that the run is not its any more where %s', (_, standing) => {
    expect(refusalOfPage(asked, standing, undefined)).toBe('closed');
  });

  it('tells nothing of a run of another workspace', () => {
    expect(() => refusalOfPage(asked, { ...writing, workspaceId: newId('workspace') }, page)).toThrowError(
      /another workspace/,
    );
  });
});

describe('a seal that was not taken', () => {
  it('had been taken before where it is the same', () => {
    expect(refusalOfSeal(seal, undefined, complete)).toBe('repeated');
    const inline = { ...seal, pageCount: 0, inline: new Uint8Array(1) };
    expect(refusalOfSeal(inline, checksum, { ...complete, pageCount: 0, inlineChecksum: checksum })).toBe('repeated');
  });

  it('is a fault of the writer where it is another, or its counts are not those of the pages', () => {
    const inline = { ...seal, pageCount: 0, inline: new Uint8Array(1) };
    const sealed = { ...complete, pageCount: 0, inlineChecksum: new Uint8Array(32) };
    expect(() => refusalOfSeal(inline, checksum, sealed)).toThrowError(/is another/);
    expect(() => refusalOfSeal({ ...seal, truncated: true }, undefined, complete)).toThrowError(/is another/);
    expect(() => refusalOfSeal({ ...seal, pageCount: 3 }, undefined, writing)).toThrowError(/2 with 20 are there/);
  });

  it('means that the run is not its any more where the run has ended or its fence is closed', () => {
    expect(refusalOfSeal(seal, undefined, { ...writing, state: 'PARTIAL' })).toBe('closed');
    expect(refusalOfSeal(seal, undefined, { ...complete, closedFence: 2 })).toBe('closed');
  });
});
