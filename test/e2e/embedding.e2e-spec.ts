import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import type { Failures } from '../support/api-types.js';
import { executionEvents } from '../support/execution-events.js';
import { cancel, findExecution, sqlInput, tryRun } from '../support/executions.js';
import { newGrant, restrict } from '../support/grants.js';
import { outcomeOf } from '../support/outcomes.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { rootRules } from '../support/root-rules.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { rootFields } from '../support/served-schema.js';
import { slowQuery } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const guide = readFileSync('docs/embedding.md', 'utf8');

interface Minted extends Failures {
  accessToken: string | null;
  guestId: string | null;
}

let sourceId = '';
let savedQueryId = '';
let serviceAccountId = '';
let account: ApiClient;

function show<T>(client: ApiClient, name: string, variables: Record<string, unknown>): Promise<T> {
  const [document, ...others] = fencedBlocks(guide, `graphql ${name}`);
  expect(others).toEqual([]);
  return client.request<T>(document ?? '', variables);
}

async function mint(customer: string): Promise<{ client: ApiClient; guestId: string }> {
  const { mintGuest } = await show<{ mintGuest: Minted }>(account, 'mint', { savedQueryId, customer });
  expect(mintGuest.errors).toEqual([]);
  return { client: mesh.anonymous.as(`Bearer ${mintGuest.accessToken ?? ''}`), guestId: mintGuest.guestId ?? '' };
}

interface Ran {
  runQuery: Failures & {
    execution: {
      id: string;
      state: string;
      sql: null;
      parameters: unknown;
      result: { rows: { rows: unknown[] }; download: { url: string } };
    } | null;
  };
}

beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
  const text = `select {{ customer }}::text as customer, {{ user.region }}::text as region, '${randomUUID()}' as x`;
  savedQueryId = (await newSavedQuery(mesh.admin, sourceId, text, { parameters: [{ name: 'customer', type: 'TEXT' }] }))
    .id;
  const prepared = await show<Record<string, { role?: { id: string }; serviceAccount?: { id: string } }>>(
    mesh.admin,
    'prepare',
    { role: `embedder ${randomUUID()}`, name: 'web shop' },
  );
  serviceAccountId = prepared['createServiceAccount']?.serviceAccount?.id ?? '';
  const { createApiKey } = await show<{ createApiKey: { secret: string } }>(mesh.admin, 'key', { serviceAccountId });
  account = mesh.anonymous.as(`Key ${createApiKey.secret}`);
  await restrict(mesh.admin, savedQueryId);
  await newGrant(mesh.admin, { assetId: savedQueryId, userId: serviceAccountId, level: 'RUN' });
});

describe('docs/embedding.md', () => {
  test('lets a guest run what it was let in for, with its fixed values and attributes, and download that', async () => {
    const { client } = await mint('acme');
    const { runQuery } = await show<Ran>(client, 'run', { savedQueryId });
    expect(runQuery).toMatchObject({
      errors: [],
      execution: {
        state: 'SUCCEEDED',
        sql: null,
        parameters: { customer: 'acme' },
        result: { rows: { rows: [['acme', 'west', expect.any(String)]] } },
      },
    });
    const file = await fetch(runQuery.execution?.result.download.url ?? '');
    expect([file.status, (await file.text()).split('\n')[1]?.startsWith('acme,west')]).toEqual([200, true]);
  });

  test('lets it choose no fixed value, though repeat it, and run nothing else: no other query, and never SQL', async () => {
    const { client } = await mint('acme');
    const codeOf = async (input: Record<string, unknown>) => (await tryRun(client, input)).errors[0]?.code;
    const other = { query: { savedQuery: { id: savedQueryId, parameters: { customer: 'other' } } } };
    expect(await codeOf(other)).toBe('PARAMETER_INVALID');
    const same = { query: { savedQuery: { id: savedQueryId, parameters: { customer: 'acme' } } } };
    expect(await codeOf(same)).toBeUndefined();
    expect(await codeOf(sqlInput(sourceId, 'select 1'))).toBe('FORBIDDEN');
    const another = await newSavedQuery(mesh.admin, sourceId, 'select 1');
    expect(await codeOf({ query: { savedQuery: { id: another.id } } })).toBe('NOT_FOUND');
  });

  test('keeps guests apart, also those with the same values', async () => {
    const [one, other] = [await mint('acme'), await mint('acme')];
    const { runQuery } = await show<Ran>(one.client, 'run', { savedQueryId });
    const id = runQuery.execution?.id ?? '';
    expect(await findExecution(one.client, id)).toMatchObject({ id });
    expect(await findExecution(other.client, id)).toBeNull();
    const document =
      '{ executions(first: 10) { nodes { id submittedBy { __typename id } } } viewer { id user { id } attributes } }';
    expect(await other.client.request(document)).toEqual({
      executions: { nodes: [] },
      viewer: { id: other.guestId, user: null, attributes: { region: 'west' } },
    });
    expect(await one.client.request(document)).toMatchObject({
      executions: { nodes: [{ id, submittedBy: { __typename: 'Guest', id: one.guestId } }] },
    });
  });

  test('lets it use no field that needs a permission but running saved queries', async () => {
    const { client } = await mint('acme');
    const wrong: string[] = [];
    for (const field of rootFields()) {
      const rule = rootRules[field.name];
      if (!rule || typeof rule.needs === 'string' || rule.needs.includes('saved_query.run')) continue;
      const { code } = await outcomeOf(client, field, rule.args?.(() => savedQueryId) ?? {});
      if (code !== 'FORBIDDEN') wrong.push(`${field.name}: ${code}`);
    }
    expect(wrong).toEqual([]);
  });

  test('takes all guests back within 5 s, on open subscriptions too, and lets in new ones', async () => {
    const text = `select {{ customer }}::text as customer, (${slowQuery(20_000).text}) as n`;
    const slow = await newSavedQuery(mesh.admin, sourceId, text, {
      parameters: [{ name: 'customer', type: 'TEXT' }],
    });
    const { mintGuest } = await show<{ mintGuest: Minted }>(account, 'mint', {
      savedQueryId: slow.id,
      customer: 'acme',
    });
    const client = mesh.anonymous.as(`Bearer ${mintGuest.accessToken ?? ''}`);
    const { execution } = await tryRun(client, { query: { savedQuery: { id: slow.id } } });
    const events = executionEvents(client, { id: execution?.id ?? '' });
    await events.next();
    const ended = (async () => {
      for await (const _event of events) continue;
    })().catch((error: unknown) => String(error));
    await show(mesh.admin, 'revoke', { serviceAccountId });
    const revokedAt = performance.now();
    await expect
      .poll(async () => (await client.send('{ viewer { id } }')).errors[0]?.extensions?.code, { timeout: 5_000 })
      .toBe('UNAUTHENTICATED');
    expect(await ended).toContain('4403');
    expect(performance.now() - revokedAt).toBeLessThan(5_000);
    await cancel(mesh.admin, execution?.id ?? '');
    const { runQuery } = await show<Ran>((await mint('acme')).client, 'run', { savedQueryId });
    expect(runQuery.errors).toEqual([]);
  });

  test('is for service accounts: a person lets no guest in', async () => {
    const { mintGuest } = await show<{ mintGuest: Minted }>(mesh.admin, 'mint', { savedQueryId, customer: 'acme' });
    expect(mintGuest).toMatchObject({ accessToken: null, errors: [{ code: 'FORBIDDEN' }] });
  });
});
