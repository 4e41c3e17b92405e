import { readFileSync } from 'node:fs';
import { GraphQLClient } from './graphql-client.ts';
import type { LocalAccess } from './seed.ts';
import type { StateDirectory } from './state-directory.ts';

export interface LocalIssuer {
  readonly issuer: string;
  readonly clientSecret: string;
}

interface Payload {
  readonly identityProvider: { readonly id: string; readonly signInPath: string } | null;
  readonly errors: readonly { readonly message: string; readonly path: readonly string[] }[];
}

const name = 'Local identity provider';
const payload = '{ identityProvider { id signInPath } errors { message path } }';

/** Has the workspace sign in through the local issuer, and adds to `local.json` where. Repeating it changes nothing. */
export async function seedProvider(state: StateDirectory, { issuer, clientSecret }: LocalIssuer): Promise<LocalAccess> {
  // Written by the seed just now.
  const access = JSON.parse(readFileSync(state.file('local.json'), 'utf8')) as LocalAccess;
  const client = new GraphQLClient({
    url: access.graphqlUrl,
    websocketUrl: access.websocketUrl,
    authorization: `Key ${access.apiKey}`,
  });
  const given = {
    options: { issuer, clientId: 'sluice', clientSecret, scopes: ['openid', 'email', 'profile', 'groups'] },
    emailDomains: ['local.example'],
    rules: {
      groups: { claim: 'groups', passThrough: true },
      attributes: [{ claim: 'department', attribute: 'department' }],
      roles: { default: ['viewer'], map: [{ claim: 'groups', value: 'analysts', roles: ['analyst'] }] },
    },
  };
  const { identityProviders } = await client.request<{
    identityProviders: { nodes: { id: string; name: string; version: number }[] };
  }>('query ($name: String!) { identityProviders(first: 10, search: $name) { nodes { id name version } } }', { name });
  const known = identityProviders.nodes.find((node) => node.name === name);
  const made = known
    ? (
        await client.request<{ updateIdentityProvider: Payload }>(
          `mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) ${payload} }`,
          { input: { id: known.id, version: known.version, enabled: true, ...given } },
        )
      ).updateIdentityProvider
    : (
        await client.request<{ createIdentityProvider: Payload }>(
          `mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) ${payload} }`,
          { input: { name, kind: 'OIDC', ...given } },
        )
      ).createIdentityProvider;
  if (!made.identityProvider) throw new Error(made.errors.map((error) => error.message).join('; '));
  const ssoUrl = new URL(made.identityProvider.signInPath, access.graphqlUrl).href;
  const complete = { ...access, ssoUrl };
  state.writePrivate('local.json', complete);
  return complete;
}
