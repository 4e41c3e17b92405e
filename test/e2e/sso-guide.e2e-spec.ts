import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OidcIssuer } from '#libs/testing';
import { HttpBrowser } from '../support/http-browser.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
const guide = readFileSync('docs/sso-oidc.md', 'utf8');
const client = { client_id: 'guide', client_secret: 'a-secret-of-the-client-of-the-guide' };
const vera = { sub: 'vera', email: 'vera@guide.example', email_verified: true, name: 'Vera', groups: ['data-team'] };

let issuer: OidcIssuer;
beforeAll(async () => {
  issuer = await OidcIssuer.start({
    accounts: [vera],
    clients: [{ ...client, redirect_uris: [mesh.origin] }],
    redirectPath: /^\/v1\/sso\//,
  });
});
afterAll(async () => {
  await issuer.stop();
  await mesh.close();
});

/** The first column of the table that begins with this heading. */
function rowsOf(heading: string): string[] {
  const [, table = ''] = guide.split(`| ${heading} |`);
  return [...(table.split('\n\n', 1)[0] ?? '').matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = '']) => name);
}

describe('docs/sso-oidc.md', () => {
  test('its provider signs a person in, with the groups and roles of its rules', async () => {
    const [document = ''] = fencedBlocks(guide, 'graphql provider');
    const { createIdentityProvider } = await mesh.admin.request<{
      createIdentityProvider: { identityProvider: { signInPath: string; options: object }; errors: object[] };
    }>(document, { issuer: issuer.issuer, clientId: client.client_id, clientSecret: client.client_secret });
    expect(createIdentityProvider.errors).toEqual([]);
    expect(createIdentityProvider.identityProvider.options).not.toHaveProperty('clientSecret');
    const browser = new HttpBrowser();
    const { at } = await browser.follow(`${mesh.origin}${createIdentityProvider.identityProvider.signInPath}`);
    const chosen = await browser.visit(at, { method: 'POST', body: new URLSearchParams({ account: vera.sub }) });
    const done = await browser.follow(new URL(chosen.headers.get('location') ?? '', at));
    expect(await done.response.text()).toContain('You can close this page');
    const answer = await browser.visit(`${mesh.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'apollo-require-preflight': '1' },
      body: JSON.stringify({ query: '{ viewer { user { email groupNames roleNames } } }' }),
    });
    expect(await answer.json()).toMatchObject({
      data: { viewer: { user: { email: vera.email, groupNames: ['analytics'], roleNames: ['analyst'] } } },
    });
  });

  // To run it would take the passwords of the other tests.
  test('its enforcement is a mutation of the schema', () => {
    const schema = buildSchema(readFileSync('services/gateway/schema.graphql', 'utf8'));
    const blocks = fencedBlocks(guide, 'graphql enforce');
    expect(blocks).toHaveLength(1);
    expect(validate(schema, parse(blocks[0] ?? ''))).toEqual([]);
  });

  test('names every option and every code that there is', () => {
    const options = readFileSync('services/auth/src/oidc/oidc.options.ts', 'utf8').split('.strictObject({')[1] ?? '';
    expect(rowsOf('option')).toEqual([...options.matchAll(/^ {4}(\w+)[:,]/gm)].map(([, name]) => name));
    const codes = readFileSync('libs/kernel/src/error-codes.ts', 'utf8').matchAll(
      /'((?:sso|identity_provider)\.\w+)'/g,
    );
    expect(rowsOf('code').sort()).toEqual([...codes].map(([, code]) => code).sort());
  });
});
