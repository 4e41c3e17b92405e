import { stat } from 'node:fs/promises';
import type { DuckdbSourceOptions, DuckdbTableFile } from '#libs/source-types';

/**
 * Equal as long as the files of a source are those that they were. An instance keeps a database file open, whichever has
 * its name by now, and what it has read of a Parquet file, which it compares by the second. A file that cannot be looked
 * at changes the stamp as well: opening it tells what is the matter.
 */
export async function stampOf({ database, tables = {} }: DuckdbSourceOptions): Promise<string> {
  const stamps = Object.values(tables).map(stampOfTable);
  if (database !== undefined) stamps.push(stampOfContent(database));
  return (await Promise.all(stamps)).join(' ');
}

function stampOfTable(file: DuckdbTableFile): Promise<string> {
  return 'parquet' in file ? stampOfContent(file.parquet) : stampOfPlace(file.csv);
}

/** A load that restores the time of a file still sets that of its change. */
async function stampOfContent(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found ? `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}` : 'absent';
}

/** CSV is read anew by every statement, also while it grows; only a link may lead elsewhere. */
async function stampOfPlace(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found ? `${found.dev}:${found.ino}` : 'absent';
}
