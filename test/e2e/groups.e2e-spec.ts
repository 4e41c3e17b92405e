import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { errorFields, type Failures } from '../support/api-types.js';
import { newDataSource } from '../support/data-sources.js';
import { deleteGrant, newGrant, restrict } from '../support/grants.js';
import { newPerson, signedIn, type Person } from '../support/people.js';
import { deleteRowPolicy, newRowPolicy } from '../support/row-policies.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
let person: Person;
beforeAll(async () => {
  sourceId = (await newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader, ssl: { mode: 'disable' } })).id;
  person = await newPerson(mesh.admin, 'analyst');
});

interface GroupPayload extends Failures {
  group: { id: string; name: string; memberCount: number } | null;
}

async function mutate<T extends object>(client: ApiClient, field: string, input: object, shown: string): Promise<T> {
  const type = `${field.slice(0, 1).toUpperCase()}${field.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${field}(input: $input) { ${shown} ${errorFields} } }`;
  const data = await client.request<Record<string, T>>(document, { input });
  const payload = data[field];
  if (!payload) throw new Error(`no answer to ${field}`);
  return payload;
}

const createGroup = (name: string): Promise<GroupPayload> =>
  mutate(mesh.admin, 'createGroup', { name }, 'group { id name memberCount }');

async function changeMembers(field: 'addGroupMembers' | 'removeGroupMembers', id: string, userIds: string[]) {
  const data = await mesh.admin.request<Record<string, GroupPayload>>(
    `mutation ($input: GroupMembersInput!) { ${field}(input: $input) { group { id name memberCount } ${errorFields} } }`,
    { input: { id, userIds } },
  );
  return data[field];
}

async function deleteGroup(id: string): Promise<{ deletedId: string | null } & Failures> {
  const data = await mesh.admin.request<{ deleteGroup: { deletedId: string | null } & Failures }>(
    `mutation ($id: ID!) { deleteGroup(id: $id) { deletedId ${errorFields} } }`,
    { id },
  );
  return data.deleteGroup;
}

async function newGroup(): Promise<{ id: string; name: string }> {
  const { group, errors } = await createGroup(`group ${randomUUID()}`);
  if (!group) throw new Error(JSON.stringify(errors));
  return group;
}

async function seesSource(client: ApiClient): Promise<boolean> {
  const { node } = await client.request<{ node: { id: string } | null }>('query ($id: ID!) { node(id: $id) { id } }', {
    id: sourceId,
  });
  return node !== null;
}

describe('A group', () => {
  test('that is there already is told as CONFLICT, with what is there', async () => {
    const { id, name } = await newGroup();
    expect(await createGroup(name)).toMatchObject({
      group: { id, name, memberCount: 0 },
      errors: [{ code: 'CONFLICT', path: ['name'] }],
    });
  });

  test('opens by its grants to who is put into it, and closes to who is taken out', async () => {
    const { id, name } = await newGroup();
    await restrict(mesh.admin, sourceId);
    await newGrant(mesh.admin, { assetId: sourceId, groupName: name, level: 'RUN' });
    expect(await seesSource(person.client)).toBe(false);
    expect((await changeMembers('addGroupMembers', id, [person.user.id]))?.group?.memberCount).toBe(1);
    expect(await seesSource(await signedIn(mesh.anonymous, person))).toBe(true);
    expect((await changeMembers('removeGroupMembers', id, [person.user.id]))?.group?.memberCount).toBe(0);
    expect(await seesSource(await signedIn(mesh.anonymous, person))).toBe(false);
  });

  test('is not deleted while a grant or a row policy names it', async () => {
    const { id, name } = await newGroup();
    const grantId = await newGrant(mesh.admin, { assetId: sourceId, groupName: name, level: 'DISCOVER' });
    const policy = await newRowPolicy(mesh.admin, sourceId, 'true', { exemptGroupNames: [name], enabled: false });
    const conflict = { deletedId: null, errors: [{ code: 'CONFLICT', path: ['id'] }] };
    expect(await deleteGroup(id)).toMatchObject(conflict);
    await deleteGrant(mesh.admin, grantId);
    expect(await deleteGroup(id)).toMatchObject(conflict);
    await deleteRowPolicy(mesh.admin, policy.id);
    expect(await deleteGroup(id)).toEqual({ deletedId: id, errors: [] });
    expect((await deleteGroup(id)).errors[0]?.code).toBe('NOT_FOUND');
  });
});

interface Preferences {
  timeZone: string | null;
  locale: string | null;
  defaultDataSource: { id: string } | null;
}

const shownPreferences = 'preferences { timeZone locale defaultDataSource { id } }';

const update = (client: ApiClient, input: object): Promise<{ preferences: Preferences | null } & Failures> =>
  mutate(client, 'updatePreferences', input, shownPreferences);

describe('Preferences', () => {
  test('are kept on the server, and each fault is told at its place', async () => {
    const { client } = await newPerson(mesh.admin, 'analyst');
    const kept = { timeZone: 'Asia/Tokyo', locale: 'ja', defaultDataSource: null };
    expect(await update(client, { timeZone: 'Asia/Tokyo', locale: 'ja' })).toEqual({ preferences: kept, errors: [] });
    const { preferences, errors } = await update(client, { timeZone: 'Mars', locale: '?', defaultDataSourceId: 'x' });
    expect(preferences).toBeNull();
    expect(errors.map(({ code, path }) => [code, path])).toEqual([
      ['INVALID_INPUT', ['timeZone']],
      ['INVALID_INPUT', ['locale']],
      ['INVALID_INPUT', ['defaultDataSourceId']],
    ]);
    expect(await update(client, { locale: null })).toMatchObject({ preferences: { ...kept, locale: null } });
    const { viewer } = await client.request<{ viewer: object }>(`{ viewer { ${shownPreferences} } }`);
    expect(viewer).toEqual({ preferences: { ...kept, locale: null } });
  });

  test('show the data source to who can see it, and none to who cannot', async () => {
    const { client } = await newPerson(mesh.admin, 'analyst');
    await restrict(mesh.admin, sourceId);
    expect((await update(client, { defaultDataSourceId: sourceId })).preferences?.defaultDataSource).toBeNull();
    const { preferences } = await update(await mesh.signInAdmin(), { defaultDataSourceId: sourceId });
    expect(preferences?.defaultDataSource).toEqual({ id: sourceId });
  });
});
