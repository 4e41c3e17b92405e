import ipaddr from 'ipaddr.js';

/** Behind a NAT64 (RFC 6052), whose addresses have that of IPv4 at their end. */
const nat64 = ipaddr.IPv6.parse('64:ff9b::');

/** One customer has one IPv4 address, but a whole /64 of IPv6: that network, or the address where it is no address of IPv6. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  // `process` takes ::ffff:10.0.0.1 for the IPv4 address that it stands for.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  if (parsed.match(nat64, 96)) return new ipaddr.IPv4(parsed.toByteArray().slice(12)).toString();
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
