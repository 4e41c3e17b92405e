import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cancel, run } from '../support/executions.js';
import type { ApiClient } from '../support/api-client.js';
import type { ExecutionEvent } from '../support/api-types.js';
import { executionEvents, executionEventsDocument } from '../support/execution-events.js';
import { newPerson, signedIn, updateUser } from '../support/people.js';
import { tourBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { endlessQuery, manyRowsQuery } from '../support/slow-queries.js';
import { TourShell } from '../support/tour-shell.js';
import { until } from '#libs/testing';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
});

/** All events over SSE, with a client that resumes where it was; at another gateway each time it comes back. */
async function overSse(variables: Record<string, unknown>): Promise<ExecutionEvent[]> {
  const client = createClient({
    url: `${mesh.address(0).url}/stream`,
    headers: { authorization: `Key ${mesh.access.apiKey}` },
    retryAttempts: 0,
  });
  const events: ExecutionEvent[] = [];
  const told = client.iterate<{ executionEvents: ExecutionEvent }>({ query: executionEventsDocument, variables });
  for await (const { data, errors } of told) {
    if (errors?.length) throw new Error(JSON.stringify(errors));
    if (data) events.push(data.executionEvents);
  }
  return events;
}

const rowsOf = (events: readonly ExecutionEvent[]): unknown[] => events.flatMap(({ page }) => page?.rows ?? []);

describe('GraphQL over SSE', () => {
  test('tells the same as a WebSocket, and goes on from a cursor with what lies behind it', async () => {
    const { id } = await run(mesh.admin, sourceId, manyRowsQuery(20_000).text);
    const whole = await overSse({ id, includeRows: true });
    expect(whole[0]).toMatchObject({ __typename: 'ExecutionSnapshot' });
    expect(rowsOf(whole)).toHaveLength(20_000);
    expect(whole.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'SUCCEEDED' });
    const middle = Math.floor(whole.length / 2);
    const rest = await overSse({ id, includeRows: true, after: whole[middle]?.cursor });
    expect(rowsOf(rest)).toHaveLength(rowsOf(whole.slice(middle + 1)).length);
  });

  test('tells a cancel as the final state, and completes', async () => {
    const { id } = await run(mesh.admin, sourceId, endlessQuery().text);
    const events = overSse({ id });
    await cancel(mesh.admin, id);
    expect((await events).at(-1)).toMatchObject({ state: 'CANCELED' });
  });
});

describe('A change of the user’s role', () => {
  const url = `${mesh.address(0).url}/stream`;
  /** Collects the names of events, and how the stream ended. */
  function listen(client: ApiClient, id: string, overSocket: boolean) {
    const names: string[] = [];
    const headers = { authorization: client.authorization ?? '' };
    const told = overSocket
      ? executionEvents(client, { id })
      : (async function* () {
          const over = createClient({ url, headers, retryAttempts: 0 });
          const variables = { id };
          const query = executionEventsDocument;
          for await (const { data } of over.iterate<{ executionEvents: ExecutionEvent }>({ query, variables })) {
            if (data) yield data.executionEvents;
          }
        })();
    const ended = (async () => {
      try {
        for await (const { __typename } of told) names.push(__typename);
        return 'completed';
      } catch (error) {
        return String(error);
      }
    })();
    return { names, ended };
  }

  test('that takes away the sight of others’ executions ends the streams about them within 5 s, over both transports', async () => {
    const { id } = await run(mesh.admin, sourceId, endlessQuery().text);
    onTestFinished(async () => void (await cancel(mesh.admin, id)));
    const editor = await newPerson(mesh.admin, 'editor');
    const streams = [listen(editor.client, id, true), listen(editor.client, id, false)];
    await until(() => streams.every(({ names }) => names.length > 0), { what: 'the snapshots' });
    const changedAt = performance.now();
    await updateUser(mesh.admin, { id: editor.user.id, version: editor.user.version, roleNames: ['analyst'] });
    const ends = await Promise.all(streams.map(({ ended }) => ended));
    expect(performance.now() - changedAt).toBeLessThan(5_500);
    // Whichever is first: the socket that is closed, or the stream's own next look at the rights.
    expect(ends[0]).toMatch(/4403|UNAUTHENTICATED/);
    expect(ends[1]).not.toBe('completed');
    const again = await signedIn(mesh.anonymous, editor);
    expect(await listen(again, id, true).ended).toContain('NOT_FOUND');
  });
});

describe('docs/subscriptions.md', () => {
  const root = resolve(import.meta.dirname, '../..');
  const blocks = tourBlocks(readFileSync(join(root, 'docs/subscriptions.md'), 'utf8'));
  let folder = '';
  let shell: TourShell;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-subscriptions-'));
    symlinkSync(mesh.access.directory, join(folder, '.sluice'));
    for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(folder, name));
    shell = new TourShell(folder);
  });
  afterAll(() => {
    shell.end();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(blocks)('the example in line $line is told the snapshot, and ends', async (block) => {
    const { exitCode, output } = await shell.run(block);
    expect(exitCode, output).toBe(0);
    expect(output).toContain('ExecutionSnapshot');
    expect(output).not.toContain('errors');
  });
});
