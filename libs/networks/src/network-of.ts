import ipaddr from 'ipaddr.js';

/** One customer has one IPv4 address, but a whole /64 of IPv6: that network, or the address where it is no address of IPv6. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  // `process` takes ::ffff:10.0.0.1 for the IPv4 address that it stands for.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
