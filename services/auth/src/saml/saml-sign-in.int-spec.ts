import { createVerify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { federationRequests } from '#libs/contracts';
import { TokenVerifier } from '#libs/identity';
import { samlAttributes, SamlIdentityProvider, startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { answerSso, createProvider, locationOf, origin } from '../../test/sso.js';
import { CredentialHealth } from '../health/credential-health.service.js';
import { RetentionService } from '../retention/retention.service.js';

let server: PostgresServer;
let auth: AuthHarness;
let replica: AuthHarness;
let peer: SamlIdentityProvider;
let providerId: string;
beforeAll(async () => {
  [server, peer] = await Promise.all([startPostgres(), SamlIdentityProvider.start()]);
  const database = await server.createDatabase();
  auth = await AuthHarness.start(database);
  // Two processes of one installation have the same keys.
  replica = await AuthHarness.start(database);
  providerId = await createProvider(auth, {
    kind: 'SAML',
    name: 'Company',
    options: options(),
    rules: { groups: { claim: samlAttributes.groups, passThrough: true }, roles: { default: ['analyst'] } },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), replica.stop(), peer.stop()]);
  await server.stop();
});

const options = () => ({
  entityId: peer.entityId,
  signInUrl: peer.signInUrl,
  certificates: [peer.certificate],
  origin,
});

interface Begun {
  readonly address: URL;
  readonly flowCookie: string;
}

async function begin(on = auth): Promise<Begun> {
  const begun = await answerSso(on, { providerId, action: 'login' });
  if (begun.flowCookie === undefined) throw new Error('the browser got no cookie');
  expect(begun.flowIsCrossSite).toBe(true);
  return { address: locationOf(begun), flowCookie: begun.flowCookie };
}

/** What the provider's page posts. */
async function formFor({ address }: Begun): Promise<string> {
  const { consumerUrl, samlResponse } = await peer.answer(address);
  expect(consumerUrl).toBe(`${origin}/v1/sso/${providerId}/acs`);
  return new URLSearchParams({ SAMLResponse: samlResponse, RelayState: 'https://evil.example.com' }).toString();
}

function post(body: string, flowCookie: string | undefined, on = auth) {
  return answerSso(on, {
    providerId,
    action: 'acs',
    method: 'POST',
    body,
    returnTo: '/',
    ...(flowCookie ? { flowCookie } : {}),
  });
}

async function refused(work: Promise<unknown>): Promise<[string, string]> {
  const { code, message } = await auth.refusal(work);
  return [code, message.replace(/^SAML, (\w+):.*$/, '$1')];
}

async function sessions(): Promise<number> {
  const [row] = await auth.database.query<{ count: string }[]>(`select count(*) from auth.session`);
  return Number(row?.count);
}

describe('signing in by SAML', () => {
  it('ends in a session with the groups that the provider says, at the page where the browser began', async () => {
    const begun = await begin();
    const signedIn = await post(await formFor(begun), begun.flowCookie);
    // RelayState: never an open redirect.
    expect(locationOf(signedIn).href).toBe(`${origin}/dashboards?x=1`);
    const { accessToken } = await auth.ask(federationRequests.exchangeSessionCookie, {
      cookie: signedIn.sessionCookie ?? '',
    });
    const principal = await auth.get(TokenVerifier).verify(accessToken);
    expect([...principal.groups].toSorted()).toEqual(['europe', 'sales']);
    const [user] = await auth.database.query<{ email: string; name: string }[]>(
      `select email, name from auth.user_account where id = $1`,
      [principal.userId],
    );
    expect(user).toEqual({ email: 'ana@example.com', name: 'Ana Silva' });
  });

  it('begins on one process and ends on another', async () => {
    const begun = await begin(auth);
    await expect(post(await formFor(begun), begun.flowCookie, replica)).resolves.toHaveProperty('sessionCookie');
  });

  it('replay: an answer is good once, on this process and on any other, and from no other browser', async () => {
    const begun = await begin();
    const form = await formFor(begun);
    const stranger = await begin();
    const before = await sessions();
    expect(await refused(post(form, undefined))).toEqual(['sso.state_wrong', 'in_response_to']);
    expect(await refused(post(form, stranger.flowCookie))).toEqual(['sso.state_wrong', 'in_response_to']);
    expect(await sessions()).toBe(before);
    await post(form, begun.flowCookie);
    expect(await refused(post(form, begun.flowCookie))).toEqual(['sso.state_wrong', 'in_response_to']);
    expect(await refused(post(form, begun.flowCookie, replica))).toEqual(['sso.state_wrong', 'in_response_to']);
    expect(await sessions()).toBe(before + 1);
  });

  it('replay: of twenty that come at once to two processes, one is taken', async () => {
    const begun = await begin();
    const form = await formFor(begun);
    const attempts = Array.from({ length: 20 }, (_, index) => post(form, begun.flowCookie, index % 2 ? auth : replica));
    const settled = await Promise.allSettled(attempts);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('replay: an assertion stays used until it has ended, though its request were open again', async () => {
    const begun = await begin();
    const form = await formFor(begun);
    const flow = await auth.database.query<Record<string, unknown>[]>(`select * from auth.sso_flow`);
    await post(form, begun.flowCookie);
    await auth.get(RetentionService).deleteOld();
    for (const row of flow) {
      await auth.database.query(
        `insert into auth.sso_flow select * from jsonb_populate_record(null::auth.sso_flow, $1) on conflict do nothing`,
        [{ ...row, state_hash: hex(row['state_hash']), browser_hash: hex(row['browser_hash']) }],
      );
    }
    expect(await refused(post(form, begun.flowCookie, replica))).toEqual(['sso.answer_refused', 'replayed']);
  });

  it('what fails leaves no user and no session, and the browser is not told why', async () => {
    const begun = await begin();
    peer.person = { ...peer.person, id: 'new-1', email: 'new@example.com' };
    const form = new URLSearchParams(await formFor(begun));
    const xml = Buffer.from(form.get('SAMLResponse') ?? '', 'base64').toString('utf8');
    form.set('SAMLResponse', Buffer.from(xml.replaceAll('new@example.com', 'adm@example.com')).toString('base64'));
    const before = await sessions();
    const error = await auth.refusal(post(form.toString(), begun.flowCookie));
    expect([error.code, error.publicMessage]).toEqual([
      'sso.answer_refused',
      'The identity provider’s answer cannot be used.',
    ]);
    expect(await sessions()).toBe(before);
    const users = await auth.database.query<unknown[]>(`select 1 from auth.user_account where email like any ($1)`, [
      ['new@%', 'adm@%'],
    ]);
    expect(users).toHaveLength(0);
  });

  it('a form without a response, and GET in place of POST, are refused', async () => {
    const { flowCookie } = await begin();
    expect(await refused(post('', flowCookie))).toEqual(['sso.answer_refused', 'malformed']);
    expect((await auth.refusal(answerSso(auth, { providerId, action: 'acs' }))).code).toBe('sso.request_invalid');
  });
});

describe('what we say to the provider', () => {
  it('a key of ours is made anew as the doctor advises, and users stay who they are', async () => {
    const signIn = async (): Promise<string> => {
      const begun = await begin();
      const { sessionCookie: cookie = '' } = await post(await formFor(begun), begun.flowCookie);
      const { accessToken } = await auth.ask(federationRequests.exchangeSessionCookie, { cookie });
      return (await auth.get(TokenVerifier).verify(accessToken)).userId;
    };
    const metadata = async (on: AuthHarness) => (await answerSso(on, { providerId, action: 'metadata' })).answer;
    const [user, before] = [await signIn(), await metadata(auth)];
    await auth.database.query(`update auth.saml_key set certificate = 'unreadable'`);
    const advice = JSON.stringify(await auth.get(CredentialHealth).examine());
    await auth.database.query(/delete from auth\.\w+ where [^;]+/.exec(advice)?.[0] ?? 'the doctor advises nothing');
    expect(await metadata(replica)).not.toEqual(before);
    expect(await metadata(auth)).toEqual(await metadata(replica));
    expect(await signIn()).toBe(user);
  });

  it('requests are signed by the key of the metadata, which is the same on every process', async () => {
    const [metadata, other] = await Promise.all(
      [auth, replica].map(async (on) => (await answerSso(on, { providerId, action: 'metadata' })).answer),
    );
    if (metadata?.case !== 'document') throw new Error('it is no document');
    expect(metadata).toEqual(other);
    const { body, contentType } = metadata.value;
    expect(contentType).toBe('application/samlmetadata+xml');
    expect(body).toContain(`Location="${origin}/v1/sso/${providerId}/acs"`);
    expect(body).toContain('AuthnRequestsSigned="true"');
    expect(body).toContain('WantAssertionsSigned="true"');

    const certificate = /X509Certificate>([^<]+)</.exec(body)?.[1]?.replaceAll(/\s/g, '') ?? '';
    const { address } = await begin();
    expect(address.searchParams.get('SigAlg')).toBe('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256');
    expect(address.searchParams.has('RelayState')).toBe(false);
    const signedText = address.search.slice(1).split('&Signature=')[0] ?? '';
    const verifier = createVerify('RSA-SHA256').update(signedText);
    const pem = `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`;
    expect(verifier.verify(pem, address.searchParams.get('Signature') ?? '', 'base64')).toBe(true);
  });

  it('the key is kept sealed, and one that was put in another place is not opened', async () => {
    await begin();
    const [row] = await auth.database.query<{ sealed_key: string }[]>(
      `select sealed_key from auth.saml_key where provider_id = $1`,
      [providerId],
    );
    expect(row?.sealed_key).not.toContain('PRIVATE KEY');
    const second = await createProvider(auth, { kind: 'SAML', name: 'Second', options: options() });
    await auth.database.query(
      `insert into auth.saml_key (provider_id, workspace_id, certificate, sealed_key)
       select $1, workspace_id, certificate, sealed_key from auth.saml_key where provider_id = $2`,
      [second, providerId],
    );
    expect((await auth.refusal(answerSso(auth, { providerId: second, action: 'login' }))).code).toBe(
      'secret.unreadable',
    );
  });

  it('an open request is kept as hashes alone', async () => {
    const { address, flowCookie } = await begin();
    const kept = JSON.stringify(await auth.database.query(`select *, encode(state_hash, 'escape') from auth.sso_flow`));
    const id = address.searchParams.get('SAMLRequest') ?? 'none';
    for (const secret of [flowCookie, id]) expect(kept).not.toContain(secret);
  });
});

describe('options of a SAML provider', () => {
  const refusal = async (change: object): Promise<readonly string[]> =>
    (
      await auth.refusal(
        createProvider(auth, { kind: 'SAML', name: `P${Math.random()}`, options: { ...options(), ...change } }),
      )
    ).path;

  it('are refused without a usable certificate, over plain HTTP, or with an address that is no web page', async () => {
    expect(await refusal({ certificates: [] })).toEqual(['options', 'certificates']);
    expect(await refusal({ certificates: ['-----BEGIN CERTIFICATE-----'] })).toEqual(['options', 'certificates', '0']);
    expect(await refusal({ signInUrl: 'http://idp.example.com/sso' })).toEqual(['options', 'signInUrl']);
    expect(await refusal({ signInUrl: 'javascript:alert(1)' })).toEqual(['options', 'signInUrl']);
    expect(await refusal({ origin: `${origin}/path` })).toEqual(['options', 'origin']);
    expect(await refusal({ wantAssertionsSigned: false })).toEqual(['options', 'wantAssertionsSigned']);
  });
});

/** How jsonb_populate_record reads bytes. */
function hex(value: unknown): string {
  if (!Buffer.isBuffer(value)) throw new Error('these are no bytes');
  return `\\x${value.toString('hex')}`;
}
