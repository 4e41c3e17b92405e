import { realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { AppError } from '#libs/kernel';
import type { DuckdbSourceOptions, DuckdbTableFile } from '#libs/source-types';

/** What DuckDB would read as a pattern of many files; a link's target may have it where the options may not. */
const patternSigns = /[*?[\]{}]/;

/**
 * A source's options with the true paths of its files, each a file in one of the directories that the operator has
 * opened. A workspace's administrator names the files, and this machine's files are not the workspace's: without any
 * directory there are none.
 * @throws AppError source.unavailable, the same for a file that is missing and for one that lies elsewhere
 */
export async function findSourceFiles(
  options: DuckdbSourceOptions,
  directories: readonly string[],
): Promise<DuckdbSourceOptions> {
  const roots = await Promise.all(directories.map((directory) => realpath(directory).catch(() => undefined)));
  const open = roots.filter((root) => root !== undefined).map((root) => (root.endsWith(sep) ? root : `${root}${sep}`));
  const { database, tables } = options;
  return {
    ...options,
    ...(database === undefined ? {} : { database: await findFile(database, open) }),
    ...(tables === undefined ? {} : { tables: await findTables(tables, open) }),
  };
}

async function findTables(
  tables: Readonly<Record<string, DuckdbTableFile>>,
  open: readonly string[],
): Promise<Record<string, DuckdbTableFile>> {
  const found = Object.entries(tables).map(async ([name, file]): Promise<[string, DuckdbTableFile]> => [
    name,
    'parquet' in file ? { parquet: await findFile(file.parquet, open) } : { csv: await findFile(file.csv, open) },
  ]);
  return Object.fromEntries(await Promise.all(found));
}

async function findFile(path: string, open: readonly string[]): Promise<string> {
  const found = await trueFile(path).catch(() => undefined);
  if (found !== undefined && open.some((root) => found.startsWith(root))) return found;
  throw new AppError(
    'source.unavailable',
    'A file of the data source is missing, or not in a directory that the operator has opened to DuckDB sources.',
    { internalMessage: `${path} is no file in a directory of SLUICE_WORKER_DUCKDB_DIRECTORIES` },
  );
}

/** Undefined for what is no plain file: reading from a pipe or a device may never end. */
async function trueFile(path: string): Promise<string | undefined> {
  const found = await realpath(path);
  return !patternSigns.test(found) && (await stat(found)).isFile() ? found : undefined;
}
