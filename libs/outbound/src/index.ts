export { isNetwork, networkList } from './network-list.js';
export { mayReach } from './may-reach.js';
