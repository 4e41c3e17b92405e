import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describePageStore, failureOf, type StoreUnderTest } from '../test/page-store-suite.js';
import { DirectoryStore } from './directory-store.js';
import { objectBytesMax } from './object-store.js';

async function openDirectory(): Promise<StoreUnderTest & { root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  return {
    root,
    objects: new DirectoryStore(root),
    overwrite: async (key, bytes) => {
      await mkdir(dirname(join(root, key)), { recursive: true });
      await writeFile(join(root, key), bytes);
    },
    remove: (key) => rm(join(root, key)),
    close: () => rm(root, { recursive: true, force: true }),
  };
}

describePageStore('a directory', openDirectory);

describe('a file of a directory store', () => {
  it('leaves no temporary file beside it, also where its name was taken', async () => {
    const { root, objects, close } = await openDirectory();
    await objects.create('a/b', Buffer.from('one'));
    expect(await objects.create('a/b', Buffer.from('two'))).toBe(false);
    expect(await readdir(join(root, 'a'))).toEqual(['b']);
    await close();
  });

  it('that is larger than any page is refused before it is read', async () => {
    const { root, objects, close } = await openDirectory();
    await objects.create('a/b', Buffer.from('one'));
    await truncate(join(root, 'a/b'), objectBytesMax + 1);
    expect(await failureOf(objects.read('a/b'))).toMatchObject({ code: 'result.corrupt' });
    await close();
  });
});
