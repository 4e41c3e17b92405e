import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { TrustedProxies } from './trusted-proxies.js';

// Only what is read of a configuration and of a request.
const proxies = new TrustedProxies({ http: { trustedProxies: ['10.0.0.0/8'] } } as ConstructorParameters<
  typeof TrustedProxies
>[0]);
const clientOf = (remoteAddress: string, forwarded?: string): string =>
  proxies.clientAddressOf({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage);

describe('the address of a client', () => {
  it('of IPv4 is itself on a socket for both kinds, so that not all of them count as one network of IPv6', () => {
    expect(clientOf('::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(clientOf('::ffff:10.1.2.3', '::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(clientOf('203.0.113.9')).toBe('203.0.113.9');
    expect(clientOf('2001:db8::1')).toBe('2001:db8::1');
  });

  it('is what a proxy says only where that is one of ours', () => {
    expect(clientOf('10.1.2.3', '198.51.100.7')).toBe('198.51.100.7');
    expect(clientOf('203.0.113.9', '198.51.100.7')).toBe('203.0.113.9');
  });
});
