export { guardedFetch, type GuardedFetch } from './guarded-fetch.js';
export { NetworkGuard, type NamedAddress, type ResolveName } from './network-guard.js';
export { isNetwork } from './network-list.js';
export { RefusedAddress } from './refused-address.js';
