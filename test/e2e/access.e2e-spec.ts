import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import { newDataSource } from '../support/data-sources.js';
import { addressOf, metricOf } from '../support/downloads.js';
import { executionEvents } from '../support/execution-events.js';
import { cancel, findExecution, run, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { deleteGrant, newGrant, restrict } from '../support/grants.js';
import { newPerson, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { slowQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const group = `readers ${randomUUID()}`;
let sourceId = '';
let analyst: Person;
let stranger: Person;
/** More than the buffers of two sockets take. */
const hugeCount = 300_000;

beforeAll(async () => {
  const options = { ...mesh.access.reader, ssl: { mode: 'disable' } };
  sourceId = (await newDataSource(mesh.admin, 'postgres', options)).id;
  analyst = await newPerson(mesh.admin, 'analyst', { groupNames: [group] });
  stranger = await newPerson(mesh.admin, 'analyst');
  await restrict(mesh.admin, sourceId);
});

async function sourcesOf(client: ApiClient): Promise<string[]> {
  const { dataSources } = await client.request<{ dataSources: { nodes: { id: string }[] } }>(
    '{ dataSources(first: 100) { nodes { id } } }',
  );
  return dataSources.nodes.map(({ id }) => id).filter((id) => id === sourceId);
}

async function codeOfRun(client: ApiClient, query: Record<string, unknown>): Promise<string> {
  return (await tryRun(client, query)).errors[0]?.code ?? 'OK';
}

function paused(address: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(address, (response) => {
      response.pause();
      resolve(response);
    }).on('error', reject);
  });
}

describe('Role change: a grant', () => {
  test('works on the next request, and so does taking it away', async () => {
    const input = () => sqlInput(sourceId, unique('select 1'), { waitSeconds: 20 });
    expect(await codeOfRun(analyst.client, input())).toBe('NOT_FOUND');
    const grantId = await newGrant(mesh.admin, { assetId: sourceId, groupName: group, level: 'RUN' });
    expect(await codeOfRun(analyst.client, input())).toBe('OK');
    expect(await sourcesOf(analyst.client)).toEqual([sourceId]);
    const { id } = await runToEnd(analyst.client, sourceId, unique('select 2'));
    expect(await codeOfRun(stranger.client, input())).toBe('NOT_FOUND');
    expect(await sourcesOf(stranger.client)).toEqual([]);
    await deleteGrant(mesh.admin, grantId);
    expect(await codeOfRun(analyst.client, input())).toBe('NOT_FOUND');
    expect(await sourcesOf(analyst.client)).toEqual([]);
    expect(await findExecution(analyst.client, id)).toBeNull();
  });

  test('that is taken away ends open subscriptions within 5 s', async () => {
    const grantId = await newGrant(mesh.admin, { assetId: sourceId, userId: analyst.user.id, level: 'RUN' });
    const { id } = await run(analyst.client, sourceId, slowQuery(20_000).text);
    const events = executionEvents(analyst.client, { id });
    expect((await events.next()).value?.__typename).toBe('ExecutionSnapshot');
    const ended = (async () => {
      for await (const _event of events) continue;
    })().then(
      () => 'completed',
      (error: unknown) => String(error),
    );
    await deleteGrant(mesh.admin, grantId);
    const takenAt = performance.now();
    expect(await ended).toContain('NOT_FOUND');
    expect(performance.now() - takenAt).toBeLessThan(5_000);
    expect((await cancel(mesh.admin, id)).errors).toEqual([]);
  });

  test('that is taken away ends downloads under way within 5 s, and their addresses are good for nothing', async () => {
    const grantId = await newGrant(mesh.admin, { assetId: sourceId, userId: analyst.user.id, level: 'RUN' });
    const sql = unique(`select i, md5(i::text) as m, md5((i + 1)::text) as n from generate_series(1, ${hugeCount}) i`);
    const { id } = await runToEnd(analyst.client, sourceId, sql, { limits: { rows: hugeCount } });
    const address = await addressOf(analyst.client, id, { format: 'JSON' });
    const response = await paused(address);
    const underWay = () => metricOf(mesh, 'sluice_gateway_downloads_under_way');
    expect(await underWay()).toBe(1);
    await deleteGrant(mesh.admin, grantId);
    await until(async () => (await underWay()) === 0, { timeoutMs: 5_000, what: 'the end of the download' });
    const ended = new Promise((resolve) => response.once('error', resolve).once('end', () => resolve('a whole file')));
    response.resume();
    expect(await ended).toBeInstanceOf(Error);
    expect((await fetch(address)).status).toBe(404);
  });
});

describe('Execute-only', () => {
  test('runs a saved query as it is, and shows its text nowhere', async () => {
    const secret = `secret_${randomUUID().replaceAll('-', '')}`;
    const query = await newSavedQuery(mesh.admin, sourceId, `select {{ n }}::int as n, '${secret}' is null as x`, {
      parameters: [{ name: 'n', type: 'INTEGER' }],
    });
    const broken = await newSavedQuery(mesh.admin, sourceId, `select ${secret} from nowhere`);
    for (const { id } of [query, broken]) {
      await restrict(mesh.admin, id);
      await newGrant(mesh.admin, { assetId: id, userId: analyst.user.id, level: 'RUN' });
    }
    const { data, errors } = await analyst.client.send(
      `mutation ($good: RunQueryInput!, $bad: RunQueryInput!, $typed: RunQueryInput!) {
         good: runQuery(input: $good) { execution { ...shown } errors { code message path } }
         bad: runQuery(input: $bad) { execution { ...shown } errors { code message path } }
         typed: runQuery(input: $typed) { execution { ...shown } errors { code message path } }
       }
       fragment shown on Execution {
         id state sql parameters error { code message } result { rows(first: 1) { rows } }
         savedQuery { id name sql parameters { name type } dataSource { id } access { level grants(first: 1) { totalCount } } }
       }`,
      {
        good: { query: { savedQuery: { id: query.id, parameters: { n: 7 } } }, waitSeconds: 20 },
        bad: { query: { savedQuery: { id: broken.id } }, waitSeconds: 20 },
        typed: { query: { savedQuery: { id: query.id, parameters: { n: '1; drop table x' } } } },
      },
    );
    expect(errors).toEqual([]);
    expect(data).toMatchObject({
      good: {
        execution: {
          state: 'SUCCEEDED',
          sql: null,
          result: { rows: { rows: [[7, false]] } },
          savedQuery: { sql: null, dataSource: null, access: { level: 'RUN', grants: null } },
        },
      },
      bad: { execution: { state: 'FAILED', error: { code: 'QUERY_FAILED' } } },
      typed: { execution: null, errors: [{ code: 'PARAMETER_INVALID' }] },
    });
    const estimate = await analyst.client.send(
      `query ($query: QueryInput!) { estimateQuery(query: $query) { plan rows errors { code message } } }`,
      { query: { savedQuery: { id: broken.id } } },
    );
    expect(JSON.stringify([data, estimate.data, estimate.errors])).not.toContain(secret);
    expect(await codeOfRun(stranger.client, { query: { savedQuery: { id: query.id } } })).toBe('NOT_FOUND');
  });
});

describe('docs/access.md', () => {
  const guide = readFileSync('docs/access.md', 'utf8');
  const show = <T>(name: string, variables: Record<string, unknown>): Promise<T> =>
    mesh.admin.request<T>(fencedBlocks(guide, `graphql ${name}`).join(''), variables);

  test('shows how to make a group, fill it and find it', async () => {
    const name = `north ${randomUUID()}`;
    const { createGroup } = await show<{ createGroup: { group: { id: string } } }>('new-group', { name });
    const { id } = createGroup.group;
    const { user } = await newPerson(mesh.admin, 'viewer');
    const userId = user.id;
    expect(await show('members', { id, userId })).toEqual({
      addGroupMembers: {
        group: { memberCount: 1, members: { nodes: [{ id: userId, name: user.name }] } },
        errors: [],
      },
    });
    expect(await show('groups', { search: name })).toEqual({
      groups: { nodes: [{ id, name, memberCount: 1 }], totalCount: 1 },
    });
  });

  test('shows how to make a role, restrict a query, grant it and make a key for it that does that alone', async () => {
    const query = await newSavedQuery(mesh.admin, sourceId, unique('select 1 as one'));
    const role = await show<Record<string, object>>('role', { name: `loader ${randomUUID()}` });
    expect(role['createRole']).toMatchObject({ errors: [], role: { version: 1 } });
    expect(await show('restrict', { id: query.id })).toEqual({
      restrictAsset: { asset: { id: query.id }, errors: [] },
    });
    const grant = await show('grant', { assetId: query.id, groupName: group });
    expect(grant).toMatchObject({ createGrant: { grant: { groupName: group, level: 'RUN' }, errors: [] } });
    const made = await show<{ createServiceAccount: { serviceAccount: { id: string } } }>('service-account', {
      name: `report ${randomUUID()}`,
    });
    const serviceAccountId = made.createServiceAccount.serviceAccount.id;
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { createApiKey } = await show<{ createApiKey: { secret: string; errors: unknown[] } }>('key', {
      ...{ serviceAccountId, savedQueryId: query.id, expiresAt },
    });
    expect(createApiKey.errors).toEqual([]);
    const robot = mesh.anonymous.as(`Bearer ${createApiKey.secret}`);
    const runIt = { query: { savedQuery: { id: query.id } }, waitSeconds: 20 };
    expect(await codeOfRun(robot, runIt)).toBe('NOT_FOUND');
    await newGrant(mesh.admin, { assetId: query.id, userId: serviceAccountId, level: 'RUN' });
    expect(await codeOfRun(robot, runIt)).toBe('OK');
    expect(await codeOfRun(robot, sqlInput(sourceId, 'select 1'))).toBe('FORBIDDEN');
  });
});
