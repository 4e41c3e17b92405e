export { guardedFetch, type GuardedFetch } from './guarded-fetch.js';
export { NetworkGuard, type ResolveName } from './network-guard.js';
export { isNetwork } from './network-list.js';
