import { federationRequests, identityProviderRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import type { AuthHarness } from './auth-harness.js';

type Asked = RequestOf<typeof federationRequests.answerSso>;
type Provider = RequestOf<typeof identityProviderRequests.createIdentityProvider>;

export const origin = 'https://sluice.example.com';

/** A provider of the first workspace; the administrator makes it. */
export async function createProvider(
  auth: AuthHarness,
  provider: Pick<Provider, 'kind' | 'name'> & Partial<Provider> & { options: JsonObject },
): Promise<string> {
  const input = { enabled: true, emailDomains: [], ...provider };
  const answer = await auth.ask(identityProviderRequests.createIdentityProvider, input, await auth.admin());
  if (!answer.identityProvider) throw new Error('no provider came back');
  return answer.identityProvider.id;
}

/** A request at /v1/sso, as the gateway passes it on. */
export function answerSso(
  auth: AuthHarness,
  asked: Pick<Asked, 'action' | 'providerId'> & Partial<Asked>,
): Promise<ResponseOf<typeof federationRequests.answerSso>> {
  return auth.ask(federationRequests.answerSso, {
    ...{ method: 'GET', query: '', body: '', origin, returnTo: '/dashboards?x=1', fromOwnPage: false },
    ...{ clientAddress: '203.0.113.7', peerAddress: '10.0.0.1', headers: [], userAgent: '' },
    ...asked,
  });
}

export function locationOf({ answer }: ResponseOf<typeof federationRequests.answerSso>): URL {
  if (answer.case !== 'redirect') throw new Error(`it is no redirect but ${String(answer.case)}`);
  return new URL(answer.value.location, origin);
}
