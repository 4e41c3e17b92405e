import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { objectKey, PageStore, type PagePlace } from './index.js';

const workspaceId = newId('workspace');
const runId = newId('run');
const place: PagePlace = { workspaceId, runId, fence: 1, page: 0 };
const bytes = Buffer.from('a page');

let root: string;
let store: PageStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  store = new PageStore(root);
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function failureOf(failing: Promise<unknown>): Promise<unknown> {
  return failing.then(() => 'no failure').catch((error: unknown) => error);
}

describe('a stored page', () => {
  it('is read back by place and checksum', async () => {
    const { byteCount, checksum } = await store.put(place, bytes);
    expect(byteCount).toBe(bytes.length);
    expect(Buffer.from(await store.get(place, checksum))).toEqual(bytes);
    expect(await readdir(join(root, workspaceId, runId, '1'))).toEqual(['0']);
  });

  it('may be put again, but never becomes another', async () => {
    const { checksum } = await store.put(place, bytes);
    expect((await store.put(place, bytes)).checksum).toEqual(checksum);
    expect(await failureOf(store.put(place, Buffer.from('other')))).toMatchObject({ code: 'result.corrupt' });
    expect(Buffer.from(await store.get(place, checksum))).toEqual(bytes);
  });

  it('that several put at once is one of theirs, and the others are told', async () => {
    const contents = ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text));
    const outcomes = await Promise.allSettled(contents.map((content) => store.put(place, content)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(join(root, workspaceId, runId, '1'))).toEqual(['0']);
  });

  it('that is torn, changed or gone is reported and never served', async () => {
    const { checksum } = await store.put(place, bytes);
    const path = join(root, objectKey(place));
    await writeFile(path, (await readFile(path)).subarray(0, 3));
    expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
    await writeFile(path, 'a pagE');
    expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
    await rm(path);
    expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
  });

  it('of the fence that is kept stays, and those of all others go; none stays of a run that is deleted', async () => {
    const first = await store.put(place, bytes);
    await store.put({ ...place, fence: 2 }, bytes);
    await store.put({ ...place, fence: 10 }, bytes);
    await store.keepOnlyFence(place, 1);
    expect(await readdir(join(root, workspaceId, runId))).toEqual(['1']);
    expect(Buffer.from(await store.get(place, first.checksum))).toEqual(bytes);
    await store.deleteRun(place);
    await store.deleteRun(place);
    expect(await readdir(join(root, workspaceId))).toEqual([]);
  });
});

describe('a path', () => {
  it('is made of ids and whole numbers only, whatever comes', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.constantFrom('..', '../..', '/etc', `${runId}/..`, `${runId}\0`, `${runId}\n`, ''),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(() => objectKey({ ...place, runId: text })).toThrowError();
        expect(() => objectKey({ ...place, workspaceId: text })).toThrowError();
      }),
    );
    for (const number of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => objectKey({ ...place, page: number })).toThrowError();
      expect(() => objectKey({ ...place, fence: number })).toThrowError();
    }
  });

  it('that would leave the store is refused by every method', async () => {
    const outside = { ...place, workspaceId: '..', runId: '..' };
    for (const attempt of [
      store.put(outside, bytes),
      store.get(outside, bytes),
      store.deleteRun(outside),
      store.keepOnlyFence(outside, 1),
      store.keepOnlyFence(outside, undefined),
    ]) {
      expect(await failureOf(attempt)).toMatchObject({ code: 'internal' });
    }
  });
});

describe('the marker', () => {
  it('is written once; of two that mark a new store at once both learn which won', async () => {
    const answers = await Promise.all([store.mark('one'), store.mark('two')]);
    expect(answers[0]).toBe(answers[1]);
    expect(await store.identity()).toBe(answers[0]);
  });

  it('tells another directory from the right one', async () => {
    expect(await failureOf(store.prove('one'))).toMatchObject({ code: 'result.store_unavailable' });
    await store.mark('one');
    await store.prove('one');
    expect(await failureOf(store.prove('two'))).toMatchObject({ code: 'result.store_unavailable' });
  });
});

describe('listRuns', () => {
  it('names every run and passes over what is not ours', async () => {
    const other = newId('run');
    await store.mark('identity');
    await store.put(place, bytes);
    await store.put({ ...place, runId: other }, bytes);
    await writeFile(join(root, 'lost+found'), '');
    await writeFile(join(root, workspaceId, 'notes.txt'), '');
    const runs = [];
    for await (const run of store.listRuns()) runs.push(run);
    expect(runs.map((run) => run.runId).sort()).toEqual([runId, other].sort());
    expect(runs.every((run) => run.workspaceId === workspaceId && run.changedAt instanceof Date)).toBe(true);
  });
});
