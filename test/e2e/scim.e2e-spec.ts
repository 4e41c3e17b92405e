import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { signedIn, createApiKey, newPerson, signIn } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newWorkspace } from '../support/second-workspace.js';

const guide = readFileSync('docs/scim.md', 'utf8');

const mesh = sharedMesh();
let key = '';
beforeAll(async () => {
  const { createServiceAccount } = await administer<{ createServiceAccount: { serviceAccount: { id: string } } }>(
    'prepare',
  );
  const { id: serviceAccountId } = createServiceAccount.serviceAccount;
  const { createApiKey: made } = await administer<{ createApiKey: { secret: string } }>('key', { serviceAccountId });
  key = made.secret;
});
afterAll(() => mesh.close());

/** Does an operation of the guide as an administrator. */
async function administer<T extends Record<string, object>>(
  info: string,
  variables: Record<string, unknown> = {},
): Promise<T> {
  const answer = await mesh.admin.request<T>(fencedBlocks(guide, `graphql ${info}`)[0] ?? '', variables);
  for (const payload of Object.values(answer)) expect(payload).toMatchObject({ errors: [] });
  return answer;
}

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown> & { id?: string; Resources?: Record<string, unknown>[] };
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  more: { token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${mesh.origin}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${more.token ?? key}`,
      'content-type': 'application/scim+json',
      'user-agent': 'Okta SCIM Client 1.0.0',
      ...more.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
  };
}

/** Sends every request of a block of the guide, with the ids of what it made itself. */
async function walk(info: string): Promise<{ request: string; answer: Answer }[]> {
  const ids: Record<string, string> = {};
  const walked: { request: string; answer: Answer }[] = [];
  for (const part of (fencedBlocks(guide, `http ${info}`)[0] ?? '').trim().split('\n\n')) {
    const filled = part.replaceAll(/\{(user|group)\}/g, (_all, name: string) => ids[name] ?? '');
    const [line = '', ...rest] = filled.split('\n');
    const [method = '', path = ''] = line.split(' ');
    const answer = await ask(method, path, rest.length === 0 ? undefined : rest.join('\n'));
    if (method === 'POST') ids[path.endsWith('Users') ? 'user' : 'group'] = String(answer.body.id);
    walked.push({ request: `${method} ${path.replace(/\?.*/, '')}`.replaceAll(/\/(usr|grp)_\w+/g, '/$1'), answer });
  }
  return walked;
}

const patch = (...operations: object[]): object => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: operations,
});

async function newUser(name: string, more: object = {}): Promise<Answer['body'] & { id: string }> {
  const userName = `${name}-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}@example.com`;
  const { status, body } = await ask('POST', '/scim/v2/Users', { userName, ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return { ...body, id: String(body.id) };
}

describe('docs/scim.md', () => {
  test('the requests of Okta do what it says', async () => {
    const walked = await walk('okta');
    expect(walked.map(({ request, answer }) => [request, answer.status])).toEqual([
      ['GET /scim/v2/Users', 200],
      ['POST /scim/v2/Users', 201],
      ['GET /scim/v2/Users/usr', 200],
      ['PUT /scim/v2/Users/usr', 200],
      ['POST /scim/v2/Groups', 201],
      ['PATCH /scim/v2/Groups/grp', 204],
      ['PATCH /scim/v2/Groups/grp', 204],
      ['GET /scim/v2/Groups/grp', 200],
      ['PATCH /scim/v2/Users/usr', 200],
      ['DELETE /scim/v2/Groups/grp', 204],
    ]);
    expect(walked[0]?.answer.body).toMatchObject({ totalResults: 0, startIndex: 1, Resources: [] });
    expect(walked[1]?.answer.headers.get('location')).toMatch(/^http.*\/scim\/v2\/Users\/usr_/);
    expect(walked[3]?.answer.body).toMatchObject({ displayName: 'Ada Lovelace', name: { familyName: 'Lovelace' } });
    expect(walked[7]?.answer.body['members']).toMatchObject([{ display: 'Ada Lovelace', type: 'User' }]);
    expect(walked[8]?.answer.body).toMatchObject({ active: false, userName: 'ada.okta@example.com' });
    expect(JSON.stringify(walked)).not.toContain('1mz050nq');
  });

  test('the requests of Entra ID do what it says', async () => {
    const walked = await walk('entra');
    expect(walked.map(({ answer }) => answer.status)).toEqual([
      ...[200, 201, 200, 200, 201, 200, 204, 200, 204, 200, 204, 204],
    ]);
    expect(walked[3]?.answer.body).toMatchObject({
      userName: 'grace.entra@example.com',
      displayName: 'Grace Hopper',
      name: { givenName: 'Grace', familyName: 'Hopper' },
      emails: [{ value: 'hopper@example.com', primary: true }],
      externalId: '58342554-38d6-4ec8-948c-50044d0a33fd',
    });
    expect(walked[5]?.answer.body.Resources).toMatchObject([{ displayName: 'Entra analysts' }]);
    expect(walked[9]?.answer.body).toMatchObject({ active: false });
  });
});

describe('SCIM', () => {
  test('puts a leaver out everywhere within 5 s: session, refresh, API key and sign-in', async () => {
    const person = await newPerson(mesh.admin, 'analyst');
    const apiKey = await createApiKey(person.client, { name: 'own' });
    const byKey = mesh.anonymous.as(`Key ${apiKey.secret ?? ''}`);
    expect((await byKey.send('{ viewer { id } }')).errors).toEqual([]);
    const { status } = await ask(
      'PATCH',
      `/scim/v2/Users/${person.user.id}`,
      patch({ op: 'replace', path: 'active', value: false }),
    );
    const sinceMs = performance.now();
    expect(status).toBe(200);
    await until(async () => {
      const answers = await Promise.all([person.client, byKey].map((client) => client.send('{ viewer { id } }')));
      return answers.every(({ errors }) => errors[0]?.extensions?.code === 'UNAUTHENTICATED');
    });
    expect(performance.now() - sinceMs).toBeLessThan(5_000);
    expect((await signIn(mesh.anonymous, person)).accessToken).toBeNull();
    await ask('PATCH', `/scim/v2/Users/${person.user.id}`, patch({ op: 'Replace', path: 'active', value: 'True' }));
    await expect(signedIn(mesh.anonymous, person)).resolves.toBeDefined();
  });

  test('finds users by what providers filter by, a page at a time, and refuses what it cannot read', async () => {
    const tag = Math.random().toString(36).slice(2, 10);
    for (const name of ['Anna', 'Berta', 'Carla']) {
      await newUser(`${name.toLowerCase()}-${tag}`, {
        displayName: `${name} ${tag}`,
        externalId: `ext-${tag}-${name}`,
      });
    }
    const found = async (filter: string, more = ''): Promise<Answer> =>
      ask('GET', `/scim/v2/Users?filter=${encodeURIComponent(filter)}${more}`);
    const names = async (filter: string): Promise<unknown[]> =>
      ((await found(filter)).body.Resources ?? []).map((user) => String(user['displayName']).split(' ')[0]);
    expect(await names(`externalId eq "ext-${tag}-Anna"`)).toEqual(['Anna']);
    expect(await names(`userName sw "BERTA-${tag}"`)).toEqual(['Berta']);
    expect(await names(`displayName co "${tag}" and not (name.formatted sw "anna")`)).toEqual(['Berta', 'Carla']);
    expect(await names(`emails[type eq "work" and value co "carla-${tag}"]`)).toEqual(['Carla']);
    expect(
      await names(`(externalId eq "ext-${tag}-Anna" or externalId eq "ext-${tag}-Carla") and active eq true`),
    ).toEqual(['Anna', 'Carla']);
    expect(await names(`displayName co "%${tag}"`)).toEqual([]);
    const page = await found(`displayName co "${tag}"`, '&startIndex=2&count=1');
    expect(page.body).toMatchObject({ totalResults: 3, startIndex: 2, itemsPerPage: 1 });
    for (const filter of [
      'userName eq',
      'password eq "x"',
      `${'active eq true and '.repeat(30)}active eq true`,
      "id eq '1' or 1=1",
    ]) {
      const refused = await found(filter);
      expect([refused.status, refused.body['scimType']], filter).toEqual([400, 'invalidFilter']);
    }
  });

  test('tells of versions by ETag, and changes nothing that has changed meanwhile', async () => {
    const user = await newUser('etag');
    const path = `/scim/v2/Users/${user.id}`;
    const { headers } = await ask('GET', path);
    const etag = headers.get('etag') ?? '';
    expect((await ask('GET', path, undefined, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const rename = patch({ op: 'replace', path: 'displayName', value: 'Renamed' });
    expect((await ask('PATCH', path, rename, { headers: { 'if-match': etag } })).status).toBe(200);
    expect((await ask('PATCH', path, rename, { headers: { 'if-match': etag } })).status).toBe(412);
    expect((await ask('DELETE', path, undefined, { headers: { 'if-match': etag } })).status).toBe(412);
    expect((await ask('DELETE', path)).status).toBe(204);
    expect((await ask('GET', path)).status).toBe(404);
  });

  test('refuses what would be wrong, in the form of SCIM, and leaves nothing half made', async () => {
    const user = await newUser('taken');
    const admins = await ask(
      'GET',
      `/scim/v2/Users?filter=${encodeURIComponent(`userName eq "${mesh.access.administrator.email}"`)}`,
    );
    const adminPath = `/scim/v2/Users/${String(admins.body.Resources?.[0]?.['id'])}`;
    const cases: [string, string, unknown, number, string | undefined][] = [
      ['POST', '/scim/v2/Users', { userName: user['userName'] }, 409, 'uniqueness'],
      ['POST', '/scim/v2/Users', { userName: 'no address' }, 400, 'invalidValue'],
      ['POST', '/scim/v2/Users', '{', 400, 'invalidSyntax'],
      ['POST', '/scim/v2/Users', { userName: 'x'.repeat(1_100_000) }, 413, 'tooMany'],
      ['PATCH', `/scim/v2/Users/${user.id}`, patch({ op: 'jump', path: 'active' }), 400, 'invalidValue'],
      [
        'PATCH',
        `/scim/v2/Users/${user.id}`,
        patch({ op: 'add', path: '__proto__.sluice', value: 'x' }),
        400,
        'invalidValue',
      ],
      ['GET', '/scim/v2/Users?filter=constructor%20eq%20%22x%22', undefined, 400, 'invalidFilter'],
      [
        'PATCH',
        adminPath,
        patch({ op: 'replace', path: 'emails[type eq "work"].value', value: 'mine@example.com' }),
        403,
        undefined,
      ],
      ['POST', '/scim/v2/Groups', { displayName: 'Half', members: [{ value: 'usr_nobody' }] }, 404, undefined],
      ['GET', '/scim/v2/Nothing', undefined, 404, undefined],
    ];
    for (const [method, path, body, status, scimType] of cases) {
      const refused = await ask(method, path, body);
      expect([refused.status, refused.body['scimType']], `${method} ${path} ${JSON.stringify(body)}`).toEqual([
        status,
        scimType,
      ]);
    }
    const half = await ask('GET', `/scim/v2/Groups?filter=${encodeURIComponent('displayName eq "Half"')}`);
    expect(half.body['totalResults']).toBe(0);
    const group = await ask('POST', '/scim/v2/Groups', { displayName: `Fixed ${user.id}` });
    const renamed = await ask(
      'PATCH',
      `/scim/v2/Groups/${String(group.body.id)}`,
      patch({ op: 'Replace', path: 'displayName', value: 'Other' }),
    );
    expect([renamed.status, renamed.body['scimType']]).toEqual([400, 'mutability']);
  });

  test('refuses a body that is no JSON in the form of SCIM, too', async () => {
    const { status, headers, body } = await ask('POST', '/scim/v2/Users', '{"userName": ');
    expect(status).toBe(400);
    expect(headers.get('content-type')).toContain('application/scim+json');
    expect(body).toMatchObject({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '400' });
  });

  test('is for keys with scim.manage alone, and reaches no other workspace', async () => {
    const { secret } = await createApiKey(mesh.admin, { name: 'reader', permissions: ['user.read'] });
    expect((await ask('GET', '/scim/v2/Users', undefined, { token: secret ?? '' })).status).toBe(403);
    expect((await ask('GET', '/scim/v2/Users', undefined, { token: 'slk_nothing_good' })).status).toBe(401);
    const user = await newUser('mine');
    const stranger = await createApiKey(await newWorkspace(mesh), { name: 'scim', permissions: ['scim.manage'] });
    const token = stranger.secret ?? '';
    const list = await ask('GET', `/scim/v2/Users?filter=${encodeURIComponent(`id eq "${user.id}"`)}`, undefined, {
      token,
    });
    expect(list.body['totalResults']).toBe(0);
    for (const [method, body] of [
      ['GET', undefined],
      ['PUT', { userName: 'x@example.com' }],
      ['PATCH', patch({ op: 'replace', path: 'active', value: false })],
      ['DELETE', undefined],
    ] as const) {
      expect((await ask(method, `/scim/v2/Users/${user.id}`, body, { token })).status, method).toBe(404);
    }
    const group = { displayName: `Theirs ${user.id}`, members: [{ value: user.id }] };
    expect((await ask('POST', '/scim/v2/Groups', group, { token })).status).toBe(404);
  });

  test('says what it can do', async () => {
    expect((await ask('GET', '/scim/v2/ServiceProviderConfig')).body).toMatchObject({
      patch: { supported: true },
      bulk: { supported: false },
      etag: { supported: true },
    });
    expect((await ask('GET', '/scim/v2/ResourceTypes')).body).toMatchObject({ totalResults: 2 });
    expect((await ask('GET', '/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group')).body).toMatchObject({
      name: 'Group',
    });
  });
});
