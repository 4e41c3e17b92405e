export { decodePage, type DecodedPage } from './decoded-page.js';
export { encodePage, inlineBytesMax, pageTextBytesMax } from './page-encoding.js';
export { objectKey, type PagePlace } from './page-place.js';
export { PageStore, type StoredObject, type StoredRun } from './page-store.js';
export { pickColumns, splitArray } from './pick-columns.js';
export { resultStoreSettings } from './result-store.settings.js';
