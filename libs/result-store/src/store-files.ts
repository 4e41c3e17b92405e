import { constants } from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file that is whole or not there, and never replaces one: `EEXIST` where the name is taken.
 *
 * It is on the disk when this returns. PostgreSQL is told of a page right afterwards and keeps its word through a power
 * cut; a page that did not would be a result with a hole. Two fsyncs, of the file and of the directory that names it,
 * cost some milliseconds for a page of a megabyte, and small results never come here.
 */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path);
  await makeDirectory(directory);
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    // link and not rename: a rename would silently take the place of what somebody may have read.
    await link(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(directory);
}

export function errorCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

async function makeDirectory(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o750 });
  if (firstMade === undefined) return;
  // A new directory lasts once its own parent is on the disk.
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) await syncDirectory(dirname(made));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
