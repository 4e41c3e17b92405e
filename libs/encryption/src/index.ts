export { wrapDataKey, newDataKey, unwrapDataKey, type DataKey, type WrappedDataKey } from './data-key.js';
export { MasterKeys } from './master-keys.js';
export { openText, sealText } from './sealed-text.js';
export { openSecrets, sealSecrets, type SealedSecrets } from './secrets.js';
