import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay, type IdKind } from '#libs/kernel';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import { deleteDataSource, newDataSource, testDataSource, updateDataSource } from '../support/data-sources.js';
import { collect, executionEvents, executionsFinished } from '../support/execution-events.js';
import { cancel, findExecution, run, runToEnd, sendRows, sqlInput, tryRun } from '../support/executions.js';
import { addressOf } from '../support/downloads.js';
import { idIn, newNamedThings, type NamedThings } from '../support/named-things.js';
import { outcomeOf } from '../support/outcomes.js';
import { newApiKey, newPerson, revokeApiKey, updateUser } from '../support/people.js';
import { rootRules } from '../support/root-rules.js';
import { sharedMesh } from '../support/running-mesh.js';
import { createSavedQuery, newSavedQuery, updateSavedQuery } from '../support/saved-queries.js';
import { newWorkspace } from '../support/second-workspace.js';
import { rootFields } from '../support/served-schema.js';
import { slowQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

// The strongest caller of another workspace, who knows every id of ours.
let stranger: ApiClient;
let admin: ApiClient;
let sourceId = '';
let ours: NamedThings;
beforeAll(async () => {
  stranger = await newWorkspace(mesh);
  // Of a session, as an API key has none to list.
  admin = await mesh.signInAdmin();
  sourceId = (await mesh.source('flights_pg')).id;
  ours = await newNamedThings(mesh);
});

const readerOptions = () => ({ ...mesh.access.reader, ssl: { mode: 'disable' } });

describe('An administrator of another workspace who knows our ids', () => {
  test('sees none of our things in any list', async () => {
    await runToEnd(mesh.admin, sourceId, unique('select 1'));
    await newSavedQuery(mesh.admin, sourceId, 'select 1');
    const lists = await stranger.request<Record<string, { nodes: { id: string }[] }>>(`{
      dataSources(first: 100) { nodes { id } } savedQueries(first: 100) { nodes { id } }
      executions(first: 100) { nodes { id } } apiKeys(first: 100) { nodes { id } } }`);
    expect(Object.values(lists).map(({ nodes }) => nodes)).toEqual([[], [], [], []]);
    const { users } = await stranger.request<{ users: { totalCount: number } }>('{ users(first: 100) { totalCount } }');
    expect(users.totalCount).toBe(1);
  });

  test('cannot tell our ids from ids that do not exist', async () => {
    const savedQuery = await newSavedQuery(mesh.admin, sourceId, 'select 1');
    const { user } = await newPerson(mesh.admin, 'viewer');
    const execution = await runToEnd(mesh.admin, sourceId, unique('select 1'));
    for (const id of [sourceId, savedQuery.id, user.id, execution.id, execution.result?.id ?? '']) {
      const { data } = await stranger.send<{ node: unknown }>('query ($id: ID!) { node(id: $id) { id } }', { id });
      expect([id, data?.node ?? null]).toEqual([id, null]);
    }
    expect(await findExecution(stranger, execution.id)).toBeNull();
    expect((await sendRows(stranger, execution.id, { first: 1 })).data?.execution ?? null).toBeNull();
  });

  test('can run nothing of ours', async () => {
    const bySource = await tryRun(stranger, sqlInput(sourceId, 'select 1'));
    expect(bySource).toMatchObject({
      execution: null,
      errors: [{ code: 'NOT_FOUND', path: ['query', 'sql', 'dataSourceId'] }],
    });
    const { id } = await newSavedQuery(mesh.admin, sourceId, 'select 1');
    const bySavedQuery = await tryRun(stranger, { query: { savedQuery: { id } } });
    expect(bySavedQuery).toMatchObject({
      execution: null,
      errors: [{ code: 'NOT_FOUND', path: ['query', 'savedQuery', 'id'] }],
    });
  });

  test('can change nothing of ours', async () => {
    const source = await newDataSource(mesh.admin, 'postgres', readerOptions());
    const savedQuery = await newSavedQuery(mesh.admin, sourceId, 'select 1');
    const { user } = await newPerson(mesh.admin, 'viewer');
    const key = await newApiKey(await mesh.signInAdmin());
    const execution = await run(mesh.admin, sourceId, slowQuery(3_000).text);
    const answers = {
      update: await updateDataSource(stranger, { id: source.id, version: source.version, paused: true }),
      remove: await deleteDataSource(stranger, source.id),
      probe: await testDataSource(stranger, source.id),
      savedQuery: await updateSavedQuery(stranger, { id: savedQuery.id, version: savedQuery.version, sql: 'select 2' }),
      newSavedQuery: await createSavedQuery(stranger, { name: 'x', dataSourceId: source.id, sql: 'select 1' }),
      user: await updateUser(stranger, { id: user.id, version: user.version, disabled: true }),
      key: await revokeApiKey(stranger, key.id),
      cancel: await cancel(stranger, execution.id),
    };
    expect(Object.entries(answers).map(([what, { errors }]) => [what, errors[0]?.code])).toEqual(
      Object.keys(answers).map((what) => [what, 'NOT_FOUND']),
    );
    expect((await cancel(mesh.admin, execution.id)).errors).toEqual([]);
  });

  test('hears nothing of ours', async () => {
    const { id } = await runToEnd(mesh.admin, sourceId, unique('select 1'));
    await expect(collect(executionEvents(stranger, { id }))).rejects.toThrow('NOT_FOUND');
    const own = await newDataSource(stranger, 'postgres', readerOptions());
    const events = executionsFinished(stranger);
    const told = events.next();
    const isTold = told.then(() => true);
    const theirs: string[] = [];
    await until(
      async () => {
        await runToEnd(mesh.admin, sourceId, unique('select 1'));
        theirs.push((await runToEnd(stranger, own.id, unique('select 1'))).id);
        return Promise.race([isTold, delay(50).then(() => false)]);
      },
      { what: 'the first event' },
    );
    const { value } = await told;
    expect(theirs).toContain(value?.execution?.id);
    await events.return(undefined);
  });

  test('and we share no run: the same text on the same server is a run for each workspace', async () => {
    const own = await newDataSource(stranger, 'postgres', readerOptions());
    const { text } = slowQuery(500);
    const [ours, theirs] = await Promise.all([runToEnd(mesh.admin, sourceId, text), runToEnd(stranger, own.id, text)]);
    expect([ours.cache.status, theirs.cache.status]).toEqual(['MISS', 'MISS']);
  });
});

/** What is there for nobody: the field was answered with nothing of what it was asked for. */
function isNothing({ code, answer }: Awaited<ReturnType<typeof outcomeOf>>, countsAs: string | undefined): boolean {
  if (code === 'NOT_FOUND' || code === 'NULL') return true;
  if (code !== 'OK' || answer === null) return false;
  return answer[countsAs ?? 'totalCount'] === 0 || (Array.isArray(answer['nodes']) && answer['nodes'].length === 0);
}

describe('Every query, mutation and subscription that names a thing of ours', () => {
  test('answers the strongest caller of another workspace as if it were not there', async () => {
    const wrong: string[] = [];
    const tried: string[] = [];
    for (const field of rootFields()) {
      const named: IdKind[] = [];
      const args = rootRules[field.name]?.args?.((kind) => {
        named.push(kind);
        return idIn(ours, kind);
      });
      // What takes a service account is refused to every person alike.
      if (!args || named.length === 0 || rootRules[field.name]?.needs === 'a service account') continue;
      tried.push(field.name);
      const outcome = await outcomeOf(stranger, field, args);
      if (!isNothing(outcome, rootRules[field.name]?.countsAs)) wrong.push(`${field.name}: ${outcome.code}`);
    }
    expect(wrong).toEqual([]);
    expect(tried.length).toBeGreaterThan(25);
  });

  test('and so does node, for every kind of thing', async () => {
    const { workspace } = (
      await mesh.admin.request<{ viewer: { workspace: { id: string } } }>('{ viewer { workspace { id } } }')
    ).viewer;
    for (const id of [...ours.values(), workspace.id]) {
      const { data, errors } = await stranger.send<{ node: unknown }>('query ($id: ID!) { node(id: $id) { id } }', {
        id,
      });
      expect([id, data?.node, errors]).toEqual([id, null, []]);
    }
  });
});

describe('Every cursor of ours', () => {
  const lists = rootFields().filter(
    ({ operation, argumentNames }) => operation === 'query' && argumentNames.includes('after'),
  );

  test.each(lists)('of $field is INVALID_INPUT to a caller of another workspace', async (field) => {
    const named = rootRules[field.name]?.args?.((kind) => idIn(ours, kind)) ?? {};
    // Everyone's executions, so that there is one.
    const args = field.field === 'executions' ? { first: 1 } : { ...named, first: 1 };
    // Some are told of what was made only a moment later.
    const after = await until(
      async () => {
        const { answer } = await outcomeOf(admin, field, args);
        return (answer?.['pageInfo'] as { endCursor?: string | null } | undefined)?.endCursor;
      },
      { what: `a cursor of ${field.field}` },
    );
    const { code } = await outcomeOf(stranger, field, { ...args, after });
    expect(['INVALID_INPUT', 'NOT_FOUND']).toContain(code);
  });

  test('of a subscription leads nobody else anywhere', async () => {
    const { id } = await runToEnd(mesh.admin, sourceId, unique('select 1'));
    const [snapshot] = await collect(executionEvents(mesh.admin, { id }));
    const own = await newDataSource(stranger, 'postgres', readerOptions());
    const theirs = await runToEnd(stranger, own.id, unique('select 1'));
    const after = snapshot?.cursor ?? '';
    await expect(collect(executionEvents(stranger, { id, after }))).rejects.toThrow('NOT_FOUND');
    await expect(collect(executionEvents(stranger, { id: theirs.id, after }))).rejects.toThrow('INVALID_INPUT');
  });
});

test('A download of ours is served to no signature of another workspace', async () => {
  const own = await newDataSource(stranger, 'postgres', readerOptions());
  const theirs = await runToEnd(stranger, own.id, unique('select 1 as a'));
  const ours = await runToEnd(mesh.admin, sourceId, unique('select 1 as a'));
  const address = await addressOf(stranger, theirs.id, { format: 'CSV' });
  expect((await fetch(address)).status).toBe(200);
  expect((await fetch(address.replace(theirs.id, ours.id))).status).toBe(403);
});
