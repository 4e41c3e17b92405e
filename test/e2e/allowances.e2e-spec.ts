import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserError } from '../support/api-types.js';
import { sqlInput } from '../support/executions.js';
import { newPerson, type Person } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
let person: Person;
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
  person = await newPerson(mesh.admin, 'analyst');
});

interface Quota {
  scope: string;
  kind: string;
  limit: number | null;
  used: number;
  remaining: number | null;
  resetsAt: string;
}

async function usedByUser(): Promise<Record<string, number>> {
  const { viewer } = await person.client.request<{ viewer: { quotas: Quota[] } }>(
    fencedBlocks(readFileSync('docs/queue.md', 'utf8'), 'graphql quotas')[0] ?? '',
  );
  expect(viewer.quotas).toHaveLength(8);
  for (const { limit, remaining, resetsAt } of viewer.quotas) {
    expect([limit, remaining]).toEqual([null, null]);
    expect(Date.parse(resetsAt)).toBeGreaterThan(Date.now());
  }
  return Object.fromEntries(
    viewer.quotas.filter(({ scope }) => scope === 'USER').map(({ kind, used }) => [kind, used]),
  );
}

async function ask(text: string): Promise<{ state: string | undefined; errors: UserError[] }> {
  const { runQuery } = await person.client.request<{
    runQuery: { execution: { state: string } | null; errors: UserError[] };
  }>(
    `mutation ($input: RunQueryInput!) { runQuery(input: $input) { execution { state } errors { code message path retryable retryAfterSeconds } } }`,
    { input: { ...sqlInput(sourceId, text), waitSeconds: 20 } },
  );
  return { state: runQuery.execution?.state, errors: runQuery.errors };
}

describe('What a user may use', () => {
  test('is told by the viewer: runs, rows and bytes of today, and kept answers are none of it', async () => {
    const before = await usedByUser();
    const text = unique('select iata from airports limit 7');
    expect((await ask(text)).state).toBe('SUCCEEDED');
    expect((await ask(text)).state).toBe('SUCCEEDED');
    const after = await usedByUser();
    expect(after['EXECUTIONS']).toBe((before['EXECUTIONS'] ?? 0) + 1);
    expect(after['ROWS']).toBe((before['ROWS'] ?? 0) + 7);
    expect(after['BYTES']).toBeGreaterThan(before['BYTES'] ?? 0);
  });

  test('is refused with RATE_LIMITED and a time to come back once the pace of runs is used up', async () => {
    await ask(unique('select 1 as one'));
    await mesh.sluice.query(`update orchestrator.usage set paced_until = now() + interval '70 s' where user_id = $1`, [
      person.user.id,
    ]);
    const { state, errors } = await ask(unique('select 2 as two'));
    expect(state).toBeUndefined();
    expect(errors).toMatchObject([{ code: 'RATE_LIMITED', retryable: true, retryAfterSeconds: expect.any(Number) }]);
  });
});
