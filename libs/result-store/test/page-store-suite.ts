import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { testDataKeys } from '#libs/testing';
import type { ObjectStore } from '../src/object-store.js';
import { PageStore } from '../src/page-store.js';
import { objectKey, type PagePlace } from '../src/page-place.js';

/** A store of its own for one test, and the way around it to what lies there. */
export interface StoreUnderTest {
  readonly objects: ObjectStore;
  /** Changes what is stored, as a broken disk or somebody with access to it would. */
  overwrite(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  close(): Promise<void>;
}

const workspaceId = newId('workspace');
const runId = newId('run');
const place: PagePlace = { workspaceId, runId, fence: 1, page: 0 };
const bytes = Buffer.from('a page of rows');

export async function failureOf(failing: Promise<unknown>): Promise<unknown> {
  return failing.then(() => 'no failure').catch((error: unknown) => error);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What every kind of store guarantees. */
export function describePageStore(kind: string, open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let store: PageStore;

  beforeEach(async () => {
    under = await open();
    store = new PageStore(under.objects, testDataKeys());
  });

  afterEach(() => under.close());

  describe(`a page stored in ${kind}`, () => {
    it('is read back by place and checksum, and nothing else of it is left behind', async () => {
      const { byteCount, checksum } = await store.put(place, bytes);
      expect(byteCount).toBe((await under.objects.read(objectKey(place)))?.byteLength);
      expect(Buffer.from(await store.get(place, checksum))).toEqual(bytes);
      expect(await collect(under.objects.namesBelow(`${workspaceId}/${runId}`))).toEqual(['1']);
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
      const [stored, ...others] = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(others).toEqual([]);
      const kept = Buffer.from(await store.get(place, stored?.value.checksum ?? new Uint8Array()));
      expect(contents).toContainEqual(kept);
    });

    it('R12: that is torn, changed or gone is reported and never served', async () => {
      const { checksum } = await store.put(place, bytes);
      const key = objectKey(place);
      const sealed = Buffer.from((await under.objects.read(key)) ?? []);
      await under.overwrite(key, sealed.subarray(0, 30));
      expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
      await under.overwrite(key, Buffer.concat([sealed.subarray(0, -1), Buffer.of((sealed.at(-1) ?? 0) ^ 1)]));
      expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
      await under.remove(key);
      expect(await failureOf(store.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
    });

    it('cannot be read by whoever has the store alone', async () => {
      await store.put(place, bytes);
      const sealed = Buffer.from((await under.objects.read(objectKey(place))) ?? []);
      expect(sealed.includes(bytes)).toBe(false);
    });

    it('does not open at the place of another page, try, run or workspace, whatever checksum is named', async () => {
      const { checksum } = await store.put(place, bytes);
      const sealed = (await under.objects.read(objectKey(place))) ?? new Uint8Array();
      for (const other of [
        { ...place, page: 1 },
        { ...place, fence: 2 },
        { ...place, runId: newId('run') },
        { ...place, workspaceId: newId('workspace') },
      ]) {
        await under.overwrite(objectKey(other), sealed);
        expect(await failureOf(store.get(other, checksum))).toMatchObject({ code: 'result.corrupt' });
      }
    });

    it('stays readable when the master key changes and the old one is kept, and does not without it', async () => {
      const { checksum } = await store.put(place, bytes);
      const [newKey, oldKey] = [9, 7].map((byte) => Buffer.alloc(32, byte).toString('base64'));
      const rotated = new PageStore(under.objects, testDataKeys(`k2:${newKey},k1:${oldKey}`));
      expect(Buffer.from(await rotated.get(place, checksum))).toEqual(bytes);
      const later = await rotated.put({ ...place, page: 1 }, bytes);
      const bereft = new PageStore(under.objects, testDataKeys(`k2:${newKey}`));
      expect(Buffer.from(await bereft.get({ ...place, page: 1 }, later.checksum))).toEqual(bytes);
      expect(await failureOf(bereft.get(place, checksum))).toMatchObject({ code: 'result.corrupt' });
    });

    it('of the fence that is kept stays, and those of all others go; none stays of a run that is deleted', async () => {
      const first = await store.put(place, bytes);
      await store.put({ ...place, fence: 2 }, bytes);
      await store.put({ ...place, fence: 10 }, bytes);
      await store.put({ ...place, fence: 10, page: 1 }, bytes);
      await store.keepOnlyFence(place, 1);
      expect(await collect(under.objects.namesBelow(`${workspaceId}/${runId}`))).toEqual(['1']);
      expect(Buffer.from(await store.get(place, first.checksum))).toEqual(bytes);
      await store.deleteRun(place);
      await store.deleteRun(place);
      expect(await collect(store.listRuns())).toEqual([]);
    });
  });

  describe(`the marker of ${kind}`, () => {
    it('is written once; of two that mark a new store at once both learn which won', async () => {
      const answers = await Promise.all([store.mark('one'), store.mark('two')]);
      expect(answers[0]).toBe(answers[1]);
      expect(await store.identity()).toBe(answers[0]);
    });

    it('tells another store from the right one', async () => {
      expect(await failureOf(store.prove('one'))).toMatchObject({ code: 'result.store_unavailable' });
      await store.mark('one');
      await store.prove('one');
      expect(await failureOf(store.prove('two'))).toMatchObject({ code: 'result.store_unavailable' });
    });
  });

  describe(`the runs in ${kind}`, () => {
    it('are each named once with the time of their last change, and what is not ours is passed over', async () => {
      const other = newId('run');
      await store.mark('identity');
      await store.put(place, bytes);
      await store.put({ ...place, fence: 2 }, bytes);
      await store.put({ ...place, runId: other }, bytes);
      await under.overwrite('notes/today.txt', bytes);
      await under.overwrite(`${workspaceId}/notes.txt`, bytes);
      const runs = await collect(store.listRuns());
      expect(runs.map((run) => run.runId).sort()).toEqual([runId, other].sort());
      for (const { workspaceId: of, changedAt } of runs) {
        expect(of).toBe(workspaceId);
        expect(Math.abs(Date.now() - changedAt.getTime())).toBeLessThan(60_000);
      }
    });
  });

  describe(`a path in ${kind}`, () => {
    it('that would leave the store is refused by every method', async () => {
      const outside = { ...place, workspaceId: '..', runId: '..' };
      for (const attempt of [
        () => store.put(outside, bytes),
        () => store.get(outside, bytes),
        () => store.deleteRun(outside),
        () => store.keepOnlyFence(outside, 1),
        () => store.keepOnlyFence(outside, undefined),
      ]) {
        expect(await failureOf(attempt())).toMatchObject({ code: 'internal' });
      }
    });
  });
}
