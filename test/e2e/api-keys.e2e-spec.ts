import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import type { ApiClient } from '../support/api-client.js';
import { executionEvents } from '../support/execution-events.js';
import { cancel, run } from '../support/executions.js';
import { createApiKey, newApiKey, newPerson, revokeApiKey, updateUser, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let person: Person;
beforeAll(async () => {
  person = await newPerson(mesh.admin, 'analyst');
});

const ask = (client: ApiClient) =>
  client.send<{ viewer: { permissions: string[] } | null }>('{ viewer { permissions } }');

const isGood = async (client: ApiClient): Promise<boolean> => {
  const { data, errors } = await ask(client);
  return errors.length === 0 && data?.viewer !== null && data?.viewer !== undefined;
};

describe('An API key', () => {
  test('is shown once: the list has its prefix and never its secret', async () => {
    const { apiKey, secret, errors } = await createApiKey(person.client, { name: 'once' });
    expect(errors).toEqual([]);
    expect(secret?.startsWith(apiKey?.prefix ?? '?')).toBe(true);
    const { apiKeys } = await person.client.request<{ apiKeys: { nodes: { id: string; prefix: string }[] } }>(
      '{ apiKeys(first: 100) { nodes { id name prefix permissions createdAt expiresAt lastUsedAt } } }',
    );
    expect(apiKeys.nodes.map(({ id }) => id)).toContain(apiKey?.id);
    expect(JSON.stringify(apiKeys)).not.toContain(secret);
  });

  test('is kept only as a hash: its secret is nowhere in the database of auth', async () => {
    const { secret } = await newApiKey(person.client);
    const { rows: tables } = await mesh.sluice.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'auth'",
    );
    expect(tables.length).toBeGreaterThan(0);
    for (const { name } of tables) {
      const { rows } = await mesh.sluice.query<{ count: number }>(
        `select count(*)::int as count from ${name} t where position($1 in t::text) > 0`,
        [secret],
      );
      expect([name, rows[0]?.count]).toEqual([name, 0]);
    }
  });

  test('works as Key and as Bearer, on every gateway', async () => {
    const { secret, client } = await newApiKey(person.client);
    for (const gateway of mesh.access.gateways) {
      expect(await isGood(client.at(gateway))).toBe(true);
      expect(await isGood(client.at(gateway).as(`Bearer ${secret}`))).toBe(true);
    }
  });

  test('with permissions may do these and no others', async () => {
    const { client } = await newApiKey(person.client, { permissions: ['data_source.read'] });
    const { data } = await ask(client);
    expect(data?.viewer?.permissions).toEqual(['data_source.read']);
    const sources = await client.send('{ dataSources(first: 1) { nodes { id } } }');
    expect(sources.errors).toEqual([]);
    const queries = await client.send('{ savedQueries(first: 1) { nodes { id } } }');
    expect(queries.errors[0]?.extensions?.code).toBe('FORBIDDEN');
  });

  test('never exceeds its maker: what the maker loses, the key loses within 5 s', async () => {
    const maker = await newPerson(mesh.admin, 'analyst');
    const { client } = await newApiKey(maker.client);
    await updateUser(mesh.admin, { id: maker.user.id, version: maker.user.version, roleNames: ['viewer'] });
    await until(
      async () => {
        const { data } = await ask(client);
        return data?.viewer && !data.viewer.permissions.includes('query.run');
      },
      { timeoutMs: 5_000, what: 'the loss of query.run' },
    );
  });

  test.each([
    ['an unknown permission', { permissions: ['no.such'] }],
    ['an end in the past', { expiresAt: '2001-01-01T00:00:00Z' }],
    ['an empty name', { name: '' }],
  ])('%s is INVALID_INPUT', async (_, change) => {
    const { apiKey, secret, errors } = await createApiKey(person.client, { name: 'n', ...change });
    expect({ apiKey, secret }).toEqual({ apiKey: null, secret: null });
    expect(errors[0]).toMatchObject({
      code: 'INVALID_INPUT',
      path: [Object.keys(change)[0], ...(errors[0]?.path.slice(1) ?? [])],
    });
  });

  test('a permission that its maker does not have cannot be given to it', async () => {
    const { apiKey, errors } = await createApiKey(person.client, { name: 'n', permissions: ['user.manage'] });
    expect(apiKey).toBeNull();
    expect(errors[0]?.code).toMatch(/FORBIDDEN|INVALID_INPUT/);
  });

  test('expires at its hour', async () => {
    const { client } = await newApiKey(person.client, { expiresAt: new Date(Date.now() + 2_500).toISOString() });
    expect(await isGood(client)).toBe(true);
    await until(async () => !(await isGood(client)), { timeoutMs: 10_000, what: 'the expiry' });
  });

  test('of another person cannot be revoked: it looks as if it did not exist', async () => {
    const other = await newPerson(mesh.admin, 'analyst');
    const { id, client } = await newApiKey(other.client);
    expect((await revokeApiKey(person.client, id)).errors[0]?.code).toBe('NOT_FOUND');
    expect(await isGood(client)).toBe(true);
  });

  test('once revoked is refused within 5 s over HTTP, on every gateway, and ends an open subscription', async () => {
    const { id, client } = await newApiKey(person.client);
    const { id: source } = await mesh.source('flights_pg');
    const execution = await run(person.client, source, endlessQuery().text);
    let isOpen = false;
    const ended = (async () => {
      try {
        for await (const event of executionEvents(client, { id: execution.id }))
          isOpen ||= event.__typename === 'ExecutionSnapshot';
        return 'completed';
      } catch (error) {
        return String(error);
      }
    })();
    await until(() => isOpen, { what: 'the snapshot' });
    expect((await revokeApiKey(person.client, id)).deletedId).toBe(id);
    const revokedAt = performance.now();
    for (const gateway of mesh.access.gateways) {
      await until(async () => !(await isGood(client.at(gateway))), { timeoutMs: 5_000, what: 'the refusal' });
    }
    expect(await ended).toMatch(/4403|UNAUTHENTICATED/);
    expect(performance.now() - revokedAt).toBeLessThan(5_500);
    await cancel(person.client, execution.id);
  });
});
