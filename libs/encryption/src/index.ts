export { wrapDataKey, newDataKey, unwrapDataKey, type DataKey, type WrappedDataKey } from './data-key.js';
export { DataKeys } from './data-keys.js';
export { keyManagementOf } from './key-management-of.js';
export { openMasterKeys, type KeyManagement } from './key-management.js';
export { MasterKeys } from './master-keys.js';
export { openBytes, sealBytes } from './sealed-bytes.js';
export { isTextSealedBy, openText, sealText } from './sealed-text.js';
export { secretHash } from './secret-hash.js';
export { openSecrets, sealSecrets, type SealedSecrets } from './secrets.js';
