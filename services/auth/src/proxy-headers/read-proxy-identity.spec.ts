import { describe, expect, it } from 'vitest';
import { proxyOptions } from './proxy-options.js';
import { ProxyFault, readProxyIdentity, type ProxyHeader } from './read-proxy-identity.js';

const secret = 'a-secret-of-more-than-32-characters-1234';
const options = proxyOptions.parse({ networks: ['10.1.0.0/16', '2001:db8::/32'], secret });
const headers = {
  'x-sluice-proxy-secret': secret,
  'x-forwarded-user': 'ana',
  'x-forwarded-email': 'ana@example.com',
  'x-forwarded-groups': 'sales, europe,',
};

function read(change: Record<string, string | undefined> = {}, peerAddress = '10.1.2.3', more: ProxyHeader[] = []) {
  const all = Object.entries({ ...headers, ...change });
  const given = all.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  return readProxyIdentity({ peerAddress, headers: [...given, ...more] }, options);
}

describe('trusted proxy headers', () => {
  it('from a named network with the secret, tell who it is', () => {
    const identity = { subject: 'ana', email: 'ana@example.com', claims: { groups: ['sales', 'europe'] } };
    expect(read()).toMatchObject(identity);
    expect(read({}, '2001:db8::7')).toMatchObject(identity);
    // As a socket that listens on both protocols tells it.
    expect(read({}, '::ffff:10.1.2.3')).toMatchObject(identity);
  });

  it('from another network: refused, whatever X-Forwarded-For or Forwarded says', () => {
    for (const address of ['10.2.0.1', '::1', '2001:db9::7', '::ffff:10.2.0.1', '', 'unix', '10.1.2.3.4']) {
      const claims = { 'x-forwarded-for': '10.1.2.3', forwarded: 'for=10.1.2.3', 'x-real-ip': '10.1.2.3' };
      expect(() => read(claims, address)).toThrow(ProxyFault);
    }
  });

  it('with a wrong, empty, missing, longer, shorter or doubled secret: refused', () => {
    const wrong = [undefined, '', 'x', secret.slice(1), `${secret}x`, secret.toUpperCase(), `${secret}, ${secret}`];
    for (const value of wrong) expect(() => read({ 'x-sluice-proxy-secret': value })).toThrow('shared secret');
    const twice = [{ name: 'X-Sluice-Proxy-Secret', value: secret }];
    expect(() => read({}, '10.1.2.3', twice)).toThrow('shared secret');
    expect(() => read({ 'x-sluice-proxy-secret': 'guess' }, '10.1.2.3', twice)).toThrow('shared secret');
  });

  it('that are there twice, as when a client adds one beside the proxy’s, or name nobody: refused', () => {
    expect(() => read({}, '10.1.2.3', [{ name: 'X-Forwarded-User', value: 'admin' }])).toThrow('more than once');
    expect(() => read({}, '10.1.2.3', [{ name: 'x-forwarded-email', value: 'a@b' }])).toThrow('more than once');
    expect(() => read({ 'x-forwarded-user': undefined })).toThrow('names nobody');
    expect(() => read({ 'x-forwarded-user': '  ' })).toThrow('names nobody');
    expect(() => read({ 'x-forwarded-user': 'a'.repeat(3_000) })).toThrow('too long');
  });

  it('have names of their own where the proxy has others', () => {
    const own = proxyOptions.parse({
      networks: ['10.1.0.0/16'],
      secret,
      secretHeader: 'X-Key',
      subjectHeader: 'Remote-User',
    });
    const given = [
      { name: 'x-key', value: secret },
      { name: 'REMOTE-USER', value: 'bob' },
    ];
    expect(readProxyIdentity({ peerAddress: '10.1.2.3', headers: given }, own).subject).toBe('bob');
  });

  it('options that trust everybody, a short secret or a header of something else are refused', () => {
    const refused = (change: object): boolean =>
      !proxyOptions.safeParse({ networks: ['10.0.0.0/8'], secret, ...change }).success;
    expect(refused({})).toBe(false);
    expect(refused({ networks: [] })).toBe(true);
    expect(refused({ networks: ['0.0.0.0/0'] })).toBe(true);
    expect(refused({ networks: ['::/0'] })).toBe(true);
    expect(refused({ networks: ['10.0.0.1'] })).toBe(true);
    expect(refused({ secret: 'short' })).toBe(true);
    expect(refused({ subjectHeader: 'Cookie' })).toBe(true);
    expect(refused({ subjectHeader: 'a b' })).toBe(true);
  });
});
