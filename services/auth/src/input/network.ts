import { isIP } from 'node:net';

/** True for a network in CIDR notation, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  const [, address = '', bitsText = ''] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bitsText) <= (version === 4 ? 32 : 128);
}
