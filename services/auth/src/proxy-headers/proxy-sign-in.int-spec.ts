import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { federationRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { answerSso, createProvider, locationOf } from '../../test/sso.js';

const secret = 'a-secret-of-more-than-32-characters-1234';
let server: PostgresServer;
let auth: AuthHarness;
let providerId: string;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  providerId = await createProvider(auth, {
    kind: 'PROXY',
    name: 'Proxy',
    options: { networks: ['10.0.0.0/24'], secret },
    emailDomains: ['example.com'],
    rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['analyst'] } },
  });
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const headers = [
  { name: 'X-Sluice-Proxy-Secret', value: secret },
  { name: 'X-Forwarded-User', value: 'ana' },
  { name: 'X-Forwarded-Email', value: 'ana@example.com' },
  { name: 'X-Forwarded-Groups', value: 'sales,europe' },
];
const login = (change: Partial<Parameters<typeof answerSso>[1]> = {}) =>
  answerSso(auth, { providerId, action: 'login', headers, ...change });

describe('signing in by trusted proxy headers', () => {
  it('gives a session of who the proxy says, with the groups that it says', async () => {
    const signedIn = await login();
    expect(locationOf(signedIn).pathname).toBe('/dashboards');
    const { accessToken } = await auth.ask(federationRequests.exchangeSessionCookie, {
      cookie: signedIn.sessionCookie ?? '',
    });
    const { groups } = await auth.get(TokenVerifier).verify(accessToken);
    expect([...groups].toSorted()).toEqual(['europe', 'sales']);
  });

  it('is refused from another network, without the secret, and for an address that the provider may not vouch for', async () => {
    const codeOf = async (change: object): Promise<string> => (await auth.refusal(login(change))).code;
    const forged = [...headers, { name: 'X-Forwarded-For', value: '10.0.0.1' }];
    expect(await codeOf({ peerAddress: '10.0.1.1', clientAddress: '10.0.0.1', headers: forged })).toBe(
      'sso.answer_refused',
    );
    expect(await codeOf({ headers: headers.slice(1) })).toBe('sso.answer_refused');
    expect(await codeOf({ headers: [...headers, { name: 'x-forwarded-user', value: 'bob' }] })).toBe(
      'sso.answer_refused',
    );
    const elsewhere = headers.map((header) =>
      header.name === 'X-Forwarded-Email' ? { ...header, value: 'a@evil.com' } : header,
    );
    expect(await codeOf({ headers: elsewhere })).toBe('sso.domain_refused');
  });
});
