import { mkdir } from 'node:fs/promises';
import { DuckDBInstance, quotedIdentifier, quotedString, type DuckDBConnection } from '@duckdb/node-api';
import type { DuckdbSourceOptions, DuckdbTableFile } from '#libs/source-types';
import { unavailable } from './duckdb-errors.js';
import { findSourceFiles } from './source-files.js';

export interface DuckdbLimits {
  /** Where the files of sources may lie; nowhere where there is none. */
  readonly directories: readonly string[];
  /** Of one instance; a source may ask for less. */
  readonly memoryMb: number;
  readonly threads: number;
  /** Where instances put what does not fit their memory, each into a directory of its own. */
  readonly spillDirectory: string;
  readonly spillMb: number;
}

/** Set before a file is looked at: one that is made for an extension would have it fetched from the network and run. */
const withoutExtensions = {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
};

/**
 * An instance for one version of one source: in memory with a view for each file, or a database file opened read-only.
 * It reads those files and nothing else, and nothing that a statement says can change that.
 */
export async function openDuckdbInstance(
  given: DuckdbSourceOptions,
  limits: DuckdbLimits,
  spillDirectory: string,
): Promise<DuckDBInstance> {
  const options = await findSourceFiles(given, limits.directories);
  let instance: DuckDBInstance | undefined;
  try {
    // The engine makes the last directory of a path, and only that.
    await mkdir(spillDirectory, { recursive: true, mode: 0o700 });
    instance = await DuckDBInstance.create(options.database ?? ':memory:', {
      ...withoutExtensions,
      ...(options.database === undefined ? {} : { access_mode: 'READ_ONLY' }),
    });
    const connection = await instance.connect();
    for (const statement of settings(options, limits, spillDirectory)) await connection.run(statement);
    await createViews(connection, options.tables ?? {});
    // From here on no setting changes, not even back.
    await connection.run('set lock_configuration = true');
    connection.closeSync();
    return instance;
  } catch (error) {
    instance?.closeSync();
    throw unavailable(error);
  }
}

/** In this order: each of the later ones would keep an earlier one from being set. */
function settings(options: DuckdbSourceOptions, limits: DuckdbLimits, spillDirectory: string): string[] {
  const paths = Object.values(options.tables ?? {}).map((file) => quotedString(pathOf(file)));
  const memoryMb = Math.min(options.memoryLimitMb ?? limits.memoryMb, limits.memoryMb);
  const threads = Math.min(options.threads ?? limits.threads, limits.threads);
  return [
    `set allowed_paths = [${paths.join(', ')}]`,
    'set allow_persistent_secrets = false',
    'set allow_unredacted_secrets = false',
    `set memory_limit = '${memoryMb}MB'`,
    `set threads = ${threads}`,
    `set temp_directory = ${quotedString(spillDirectory)}`,
    `set max_temp_directory_size = '${limits.spillMb}MB'`,
    `set timezone = 'UTC'`,
    // A large LIMIT would otherwise collect all its rows before the first of them is read.
    `set disabled_optimizers = 'late_materialization'`,
    'set enable_external_access = false',
  ];
}

async function createViews(
  connection: DuckDBConnection,
  tables: Readonly<Record<string, DuckdbTableFile>>,
): Promise<void> {
  for (const [name, file] of Object.entries(tables)) {
    await connection.run(`create view ${quotedIdentifier(name)} as select * from ${readerOf(file)}`);
  }
}

/**
 * A reader of CSV holds a buffer for each scan of the statement and more as it goes, of 32 MB where nothing is said:
 * three scans at once would be more than an instance may have. Twice the longest line, 2 MB, is the least that works.
 */
const csvBufferBytes = 4 * 1024 * 1024;

function readerOf(file: DuckdbTableFile): string {
  const path = quotedString(pathOf(file));
  return 'parquet' in file ? `read_parquet(${path})` : `read_csv(${path}, buffer_size = ${csvBufferBytes})`;
}

function pathOf(file: DuckdbTableFile): string {
  return 'parquet' in file ? file.parquet : file.csv;
}
