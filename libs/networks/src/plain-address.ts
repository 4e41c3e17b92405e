/** An IPv4 address that a socket for both kinds tells in the form of an IPv6 address, as what it is; others as they are. */
export function plainAddress(address: string): string {
  return /^::ffff:(?=\d+\.)/i.test(address) ? address.slice('::ffff:'.length) : address;
}
