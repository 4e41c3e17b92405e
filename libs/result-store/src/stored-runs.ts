import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isId } from '#libs/kernel';
import { storeUnavailable, type StoredRun } from './object-store.js';
import { errorCodeOf } from './store-files.js';

/** Walks the store without ever holding more than one directory's handle of each level. What is not ours is passed over. */
export async function* listStoredRuns(root: string): AsyncGenerator<StoredRun> {
  for await (const workspace of directoriesOf(root)) {
    if (!isId('workspace', workspace)) continue;
    for await (const run of directoriesOf(join(root, workspace))) {
      if (!isId('run', run)) continue;
      const changedAt = await changedAtOf(join(root, workspace, run));
      if (changedAt !== undefined) yield { workspaceId: workspace, runId: run, changedAt };
    }
  }
}

/** The names of the directories in a directory; none where it is not there. */
export async function* directoriesOf(path: string): AsyncGenerator<string> {
  const entries = await openOrNothing(path);
  for await (const entry of entries) if (entry.isDirectory()) yield entry.name;
}

async function openOrNothing(path: string): Promise<AsyncIterable<Dirent> | Dirent[]> {
  try {
    return await opendir(path);
  } catch (error) {
    // Another process may be deleting it at this moment.
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw storeUnavailable('the store cannot be listed', error);
  }
}

async function changedAtOf(path: string): Promise<Date | undefined> {
  try {
    return (await stat(path)).mtime;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw storeUnavailable('the store cannot be listed', error);
  }
}
