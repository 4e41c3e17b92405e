import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCodeOf, storeUnavailable, writeNewFile } from './store-files.js';

/** The file in the store's root that says which store it is. */
const markerName = '.sluice-store';

export async function readMarker(root: string): Promise<string | undefined> {
  try {
    return (await readFile(join(root, markerName), 'utf8')).trim();
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw storeUnavailable('the marker of the store cannot be read', error);
  }
}

/** Writes the marker unless there is one, and answers what it says now. */
export async function createMarker(root: string, identity: string): Promise<string> {
  try {
    await writeNewFile(join(root, markerName), Buffer.from(`${identity}\n`));
    return identity;
  } catch (error) {
    if (errorCodeOf(error) !== 'EEXIST') throw storeUnavailable('the marker of the store cannot be written', error);
  }
  const found = await readMarker(root);
  if (found === undefined) throw storeUnavailable('the marker of the store', new Error('it was there and is gone'));
  return found;
}
