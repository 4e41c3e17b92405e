import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError, newId } from '#libs/kernel';
import { objectKey } from '#libs/result-store';
import { testPageStore } from '#libs/testing';
import { ProvenPagesStore } from './proven-pages.store.js';

const place = { workspaceId: newId('workspace'), runId: newId('run'), fence: 1, page: 0 };
const bytes = Buffer.from('a page of rows');
const unavailable = { code: 'result.store_unavailable', retryable: true };
const corrupt = { code: 'result.corrupt' };

let root: string;
/** Of the store that the results service has, with one page in it. */
let ours: string;
/** What the gateway sees in that place. */
let seen: string;
let checksum: Uint8Array;
const askIdentity = vi.fn<() => Promise<string>>();
let pages: ProvenPagesStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-proven-'));
  [ours, seen] = [join(root, 'ours'), join(root, 'seen')];
  await testPageStore(ours).mark('store-1');
  ({ checksum } = await testPageStore(ours).put(place, bytes));
  askIdentity.mockReset().mockResolvedValue('store-1');
  pages = new ProvenPagesStore(testPageStore(seen), askIdentity);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const mount = (): Promise<void> => rename(ours, seen);
const read = (): Promise<Uint8Array> => pages.get(place, checksum);

describe('the pages of a gateway', () => {
  it.each([
    ['of another identity', async () => void (await testPageStore(seen).mark('store-2'))],
    ['without a mark', async () => void (await mkdir(seen))],
    ['that is not there', async () => undefined],
  ])('in a store %s are unavailable and never corrupt, until the right one is there', async (_what, prepare) => {
    await prepare();
    await expect(read()).rejects.toMatchObject(unavailable);
    await expect(pages.prove()).rejects.toMatchObject(unavailable);
    await rm(seen, { recursive: true, force: true });
    await mount();
    expect(Buffer.from(await read())).toEqual(bytes);
  });

  it('are unavailable where the results service does not answer, whatever its silence is called, and read when it does', async () => {
    await mount();
    askIdentity.mockRejectedValueOnce(new AppError('bus.timeout', 'No answer.'));
    await expect(read()).rejects.toMatchObject(unavailable);
    expect(Buffer.from(await read())).toEqual(bytes);
  });

  it('are read at once by a hundred, who have the store proven once, and never again', async () => {
    await mount();
    const answers = await Promise.all(Array.from({ length: 100 }, read));
    expect(answers.filter((answer) => !bytes.equals(answer))).toEqual([]);
    await pages.prove();
    await read();
    expect(askIdentity).toHaveBeenCalledTimes(1);
  });

  it('cost one question for a hundred who fail together, and one more for those who come later', async () => {
    const failAtOnce = async (): Promise<void> => {
      await Promise.all(Array.from({ length: 100 }, () => expect(read()).rejects.toMatchObject(unavailable)));
    };
    await failAtOnce();
    expect(askIdentity).toHaveBeenCalledTimes(1);
    await failAtOnce();
    expect(askIdentity).toHaveBeenCalledTimes(2);
  });

  it('are unavailable when the store is gone after it was proven, also by the health check, and read when it is back', async () => {
    await mount();
    await read();
    await rename(seen, ours);
    await mkdir(seen);
    await expect(read()).rejects.toMatchObject(unavailable);
    await expect(pages.prove()).rejects.toMatchObject(unavailable);
    await rm(seen, { recursive: true });
    await mount();
    expect(Buffer.from(await read())).toEqual(bytes);
  });

  it('are given where the disk was away at the first look alone', async () => {
    await mount();
    const store = testPageStore(seen);
    vi.spyOn(store, 'get').mockRejectedValueOnce(new AppError('result.corrupt', 'It is not there.'));
    pages = new ProvenPagesStore(store, askIdentity);
    expect(Buffer.from(await read())).toEqual(bytes);
  });

  it('are corrupt where one is missing in the store that is proven, which stays proven', async () => {
    await mount();
    await read();
    await rm(join(seen, objectKey(place)));
    await expect(read()).rejects.toMatchObject(corrupt);
    await expect(read()).rejects.toMatchObject(corrupt);
    expect(askIdentity).toHaveBeenCalledTimes(1);
  });
});

it('the page inside a manifest needs no store', async () => {
  const { page: _page, ...run } = place;
  const sealed = await testPageStore(ours).sealInline(run, bytes);
  expect(Buffer.from(pages.openInline(run, sealed))).toEqual(bytes);
  expect(askIdentity).not.toHaveBeenCalled();
});
