import type { DataKeys } from '#libs/encryption';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './object-store.js';
import type { PageCopies } from './page-copies.js';
import { PageStore } from './page-store.js';
import { ResultStore } from './result-store.js';
import type { ResultStoreSettings } from './result-store.settings.js';
import { S3Store } from './s3-store.js';

/** The store that the settings name, for those who read and write pages; a directory is as near as copies would be. */
export function openPageStore(settings: ResultStoreSettings, keys: DataKeys, copies?: PageCopies): PageStore {
  return new PageStore(objectStoreOf(settings), keys, settings.kind === 's3' ? copies : undefined);
}

/** The same for those who only keep order in it. */
export function openResultStore(settings: ResultStoreSettings): ResultStore {
  return new ResultStore(objectStoreOf(settings));
}

function objectStoreOf(settings: ResultStoreSettings): ObjectStore {
  return settings.kind === 's3' ? new S3Store(settings) : new DirectoryStore(settings.path);
}
