import { describe, expect, it } from 'vitest';
import { networkOf } from './network-of.js';

describe('the network that a client is counted by', () => {
  it.each([
    ['an address of IPv4', '203.0.113.7', ['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107']],
    [
      'the address of IPv4 behind a NAT64, whose customers would be one network',
      '203.0.113.7',
      ['64:ff9b::203.0.113.7', '64:ff9b::cb00:7107', '0064:FF9B:0:0:0:0:CB00:7107%eth0'],
    ],
    [
      'a whole /64 of IPv6',
      '2001:db8:1:2::/64',
      ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::', '2001:db8:1:2:3:4:5:6', '2001:0db8:0001:0002::9%eth0'],
    ],
    ['that of a link, whose zones differ', 'fe80::/64', ['fe80::1%eth0', 'fe80::2%eth1']],
    ['a whole /64 beside that of the NAT64', '64:ff9b:0:1::/64', ['64:ff9b:0:1::203.0.113.7', '64:ff9b:0:1::1']],
    ['what is no address, by itself', 'unknown', ['unknown']],
  ])('is %s', (_what, network, addresses) => {
    expect(new Set(addresses.map(networkOf))).toEqual(new Set([network]));
  });

  it('is another one for another customer', () => {
    expect(networkOf('2001:db8:1:3::1')).not.toBe(networkOf('2001:db8:1:2::1'));
    expect(networkOf('64:ff9b::203.0.113.8')).not.toBe(networkOf('64:ff9b::203.0.113.7'));
    expect(networkOf('203.0.113.8')).not.toBe(networkOf('203.0.113.7'));
  });
});
