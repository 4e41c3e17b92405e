import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { identityProviderRequests, type IdentityProvider } from '#libs/contracts';
import { newId, type AppError } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  admin = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

type Create = Parameters<typeof identityProviderRequests.createIdentityProvider.request.encode>[0];
type Update = Parameters<typeof identityProviderRequests.updateIdentityProvider.request.encode>[0];

const options = { issuer: 'https://login.example.com', clientId: 'sluice', clientSecret: 'a-secret-of-the-client' };

async function create(input: Partial<Create> = {}, context = admin): Promise<IdentityProvider> {
  const { identityProvider } = await auth.ask(
    identityProviderRequests.createIdentityProvider,
    { name: newId('message'), kind: 'OIDC', enabled: true, options, emailDomains: [], ...input },
    context,
  );
  if (!identityProvider) throw new Error('no provider came back');
  return identityProvider;
}

async function update({ id, version }: IdentityProvider, change: Partial<Update>): Promise<IdentityProvider> {
  const { identityProvider } = await auth.ask(
    identityProviderRequests.updateIdentityProvider,
    { id, version, cleared: [], ...change },
    admin,
  );
  if (!identityProvider) throw new Error('no provider came back');
  return identityProvider;
}

const faultsOf = ({ issues, code, path }: AppError) =>
  issues.length > 0 ? issues.map((issue) => [issue.code, ...issue.path]) : [[code, ...path]];

async function sealedOf(id: string): Promise<string> {
  const [row] = await auth.database.query<{ sealed: string }[]>(
    `select sealed_secrets as sealed from auth.identity_provider where id = $1`,
    [id],
  );
  return row?.sealed ?? '';
}

describe('an identity provider', () => {
  it('keeps its options, and of its secrets shows only which there are', async () => {
    const provider = await create({ emailDomains: ['Example.COM', 'BÜCHER.example'] });
    expect(provider.options).toEqual({ issuer: options.issuer, clientId: 'sluice' });
    expect(provider).toMatchObject({
      secretNames: ['clientSecret'],
      emailDomains: ['example.com', 'xn--bcher-kva.example'],
      version: 1,
    });
    const { rows } = await auth.database
      .query<{ text: string }[]>(`select p::text as text from auth.identity_provider p where id = $1`, [provider.id])
      .then((rows) => ({ rows }));
    expect(rows[0]?.text).not.toContain(options.clientSecret);
  });

  it('has its secrets bound to its row: moved to another, they open no more', async () => {
    const [one, other] = [await create(), await create()];
    await auth.database.query(`update auth.identity_provider set sealed_secrets = $2 where id = $1`, [
      other.id,
      await sealedOf(one.id),
    ]);
    const refusal = await auth.refusal(update(other, { options: { issuer: options.issuer, clientId: 'new' } }));
    expect(refusal.code).toBe('secret.unreadable');
    await auth.database.query(`delete from auth.identity_provider where id = $1`, [other.id]);
  });

  it('keeps a secret that is not given again, but not for another issuer', async () => {
    const provider = await create();
    const renamed = await update(provider, { options: { issuer: options.issuer, clientId: 'renamed' } });
    expect(renamed.secretNames).toEqual(['clientSecret']);
    const elsewhere = { issuer: 'https://other.example.com', clientId: 'renamed' };
    const refusal = await auth.refusal(update(renamed, { options: elsewhere }));
    expect([refusal.code, refusal.path]).toEqual(['input.invalid', ['options', 'clientSecret']]);
    const moved = await update(renamed, { options: { ...elsewhere, clientSecret: 'another' } });
    expect(moved.secretNames).toEqual(['clientSecret']);
  });

  it.each<[string, Partial<Create>, string[][]]>([
    ['an unknown option', { options: { ...options, colour: 'red' } }, [['input.invalid', 'options', 'colour']]],
    [
      'scopes by which nobody is named',
      { options: { ...options, scopes: ['email'] } },
      [['input.invalid', 'options', 'scopes']],
    ],
    ['no client', { options: { issuer: options.issuer } }, [['input.invalid', 'options', 'clientId']]],
    [
      'an issuer that is no address',
      { options: { ...options, issuer: 'x' } },
      [['input.invalid', 'options', 'issuer']],
    ],
    ['a domain that is none', { emailDomains: ['example.com', 'a b'] }, [['input.invalid', 'emailDomains', '1']]],
    [
      'a role that there is not',
      { rules: { roles: { map: [{ claim: 'r', value: 'x', roles: ['emperor'] }] } } },
      [['input.invalid', 'rules', 'roles', 'map', '0', 'roles', '0']],
    ],
    [
      'an attribute that stands for the user',
      { rules: { attributes: [{ claim: 'employee_id', attribute: 'id' }] } },
      [['input.invalid', 'rules', 'attributes', '0', 'attribute']],
    ],
    [
      'a rule of no known form',
      { rules: { groups: { claims: 'x' } } },
      [
        ['input.invalid', 'rules', 'groups', 'claim'],
        ['input.invalid', 'rules', 'groups', 'claims'],
      ],
    ],
  ])('with %s is refused, with the place', async (_name, input, faults) => {
    expect(faultsOf(await auth.refusal(create(input)))).toEqual(faults);
  });

  it('is changed by one connection, so that many who change theirs at once all come through', async () => {
    const providers = await Promise.all(Array.from({ length: 24 }, () => create()));
    const secret = 'another-secret-of-the-client';
    const changed = providers.map((each) => update(each, { options: { ...options, clientSecret: secret } }));
    const versions = (await Promise.all(changed)).map(({ version }) => version);
    expect(versions).toEqual(providers.map(() => 2));
  });

  it('of one name is refused a second time', async () => {
    const { name } = await create();
    expect(faultsOf(await auth.refusal(create({ name: name.toUpperCase() })))).toEqual([['entity.name_taken', 'name']]);
  });

  it('that was changed meanwhile is not changed', async () => {
    const provider = await create();
    await update(provider, { enabled: false });
    expect((await auth.refusal(update(provider, { enabled: true }))).code).toBe('entity.conflict');
  });

  it('is managed by nobody without identity_provider.manage', async () => {
    const editor = await auth.createUser(admin, { roleNames: ['editor'] });
    const context = await auth.as((await auth.signIn(editor)).accessToken);
    expect((await auth.refusal(create({}, context))).code).toBe('auth.forbidden');
    const list = auth.ask(identityProviderRequests.listIdentityProviders, { page: { first: 10 } }, context);
    expect((await auth.refusal(list)).code).toBe('auth.forbidden');
  });

  it('is found by a part of its name, and gone when it is deleted', async () => {
    const provider = await create({ name: 'Corporate 100% login' });
    const find = async () => {
      const request = { page: { first: 10 }, search: '100%' };
      const answer = await auth.ask(identityProviderRequests.listIdentityProviders, request, admin);
      return answer.identityProviders.map(({ id }) => id);
    };
    expect(await find()).toEqual([provider.id]);
    await auth.ask(identityProviderRequests.deleteIdentityProvider, { id: provider.id }, admin);
    expect(await find()).toEqual([]);
  });
});
