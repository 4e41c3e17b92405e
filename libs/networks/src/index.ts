export { networkOf } from './network-of.js';
export { plainAddress } from './plain-address.js';
