import type { BlockList } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All unicast addresses of IPv6 that are routed in public. What is outside of it may become anything. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/** Whether an address is one of the public Internet: no range of special use, such as loopback, private or link-local. */
function isPublic(address: string): boolean {
  // `process` takes ::ffff:10.0.0.1 for the IPv4 address that it stands for.
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(globalUnicast);
}

/** Whether we may connect there: to the public Internet by HTTPS, and to the operator's own networks in any way. */
export function mayReach(address: string, protocol: string, allowed: BlockList): boolean {
  if (!ipaddr.isValid(address)) return false;
  if (isListed(address, allowed)) return true;
  return protocol === 'https:' && isPublic(address);
}

function isListed(address: string, allowed: BlockList): boolean {
  const parsed = ipaddr.process(address);
  return allowed.check(parsed.toString(), parsed.kind());
}
