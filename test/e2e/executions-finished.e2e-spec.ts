import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import type { ApiClient } from '../support/api-client.js';
import type { ExecutionEvent } from '../support/api-types.js';
import { executionsFinished } from '../support/execution-events.js';
import { run, untilFinal } from '../support/executions.js';
import { newPerson, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { slowQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
let person: Person;
beforeAll(async () => {
  sourceId = (await mesh.source('flights')).id;
  person = await newPerson(mesh.admin, 'analyst');
});

/** Runs `count` questions to their end; their ids. */
async function finish(client: ApiClient, count: number): Promise<string[]> {
  const begun = await Promise.all(Array.from({ length: count }, () => run(client, sourceId, unique('select 1'))));
  await Promise.all(begun.map(({ id }) => untilFinal(client, id)));
  return begun.map(({ id }) => id);
}

/** One run for `count` executions, all of which end with it; their ids. */
async function finishShared(client: ApiClient, count: number): Promise<string[]> {
  const { text } = slowQuery(500);
  const begun = await Promise.all(Array.from({ length: count }, () => run(client, sourceId, text)));
  const ended = await Promise.all(begun.map(({ id }) => untilFinal(client, id)));
  expect(ended.filter(({ cache }) => cache.status === 'SHARED')).toHaveLength(count - 1);
  return begun.map(({ id }) => id);
}

/** Reads until every id has been told; what was told on the way. */
async function readUntilTold(events: AsyncGenerator<ExecutionEvent>, ids: string[]): Promise<ExecutionEvent[]> {
  const told: ExecutionEvent[] = [];
  const missing = new Set(ids);
  for await (const event of events) {
    told.push(event);
    missing.delete(event.execution?.id ?? '');
    if (missing.size === 0) break;
  }
  return told;
}

/** A subscription that has surely begun: it tells an execution that was asked for until it came. */
async function begun(client: ApiClient): Promise<{ events: AsyncGenerator<ExecutionEvent>; cursor: string }> {
  const events = executionsFinished(client);
  const first = events.next();
  const isTold = first.then(() => true);
  const isNotYet = async (): Promise<boolean> => {
    await finish(client, 1);
    return !(await Promise.race([isTold, delay(50).then(() => false)]));
  };
  while (await isNotYet());
  const { value } = await first;
  if (value === undefined) throw new Error('the subscription ended before it had begun');
  return { events, cursor: (value as ExecutionEvent).cursor };
}

describe('executionsFinished', () => {
  test('begins at the cursor of now for one who has heard nothing yet: what ended meanwhile is told, once', async () => {
    const { client } = await newPerson(mesh.admin, 'analyst');
    await finish(client, 1);
    const { executionsFinishedCursor: after } = await client.request<{ executionsFinishedCursor: string }>(
      '{ executionsFinishedCursor }',
    );
    const ids = await finish(client, 3);
    const told = (await readUntilTold(executionsFinished(client, { after }), ids)).map(
      ({ execution }) => execution?.id,
    );
    expect(told.toSorted()).toEqual(ids.toSorted());
  });

  test('tells each execution of the caller that becomes final, once, and nobody else’s', async () => {
    const other = await newPerson(mesh.admin, 'analyst');
    const { events } = await begun(person.client);
    const [mine, theirs] = await Promise.all([finish(person.client, 5), finish(other.client, 2)]);
    const told = (await readUntilTold(events, mine)).map(({ execution }) => execution?.id);
    expect(told.filter((id) => mine.includes(id ?? ''))).toHaveLength(5);
    expect(told.some((id) => theirs.includes(id ?? ''))).toBe(false);
  });

  test('goes on behind a cursor on another gateway: what became final meanwhile is told once and in the same order', async () => {
    const { events, cursor } = await begun(person.client);
    await events.return(undefined);
    const ids = await finish(person.client, 8);
    const orders: (string | undefined)[][] = [];
    for (const gateway of mesh.access.gateways) {
      const told = await readUntilTold(executionsFinished(person.client.at(gateway), { after: cursor }), ids);
      orders.push(told.map(({ execution }) => execution?.id).filter((id) => ids.includes(id ?? '')));
    }
    expect(new Set(orders[0])).toEqual(new Set(ids));
    expect(orders[0]).toHaveLength(ids.length);
    expect(orders[1]).toEqual(orders[0]);
  });

  test('resumed at each cursor in turn tells all, each once, also those that have shared a run', async () => {
    const { events, cursor: start } = await begun(person.client);
    await events.return(undefined);
    const ids = [...(await finish(person.client, 3)), ...(await finishShared(person.client, 3))];
    ids.push(...(await finish(person.client, 3)));
    const told: string[] = [];
    let cursor = start;
    while (ids.some((id) => !told.includes(id))) {
      const gateway = mesh.access.gateways[told.length % mesh.access.gateways.length];
      if (!gateway) throw new Error('no gateway');
      for await (const event of executionsFinished(person.client.at(gateway), { after: cursor })) {
        told.push(event.execution?.id ?? '');
        cursor = event.cursor;
        break;
      }
    }
    expect(new Set(told).size).toBe(told.length);
  });

  test('a made-up cursor is INVALID_INPUT', async () => {
    await expect(executionsFinished(person.client, { after: 'made-up' }).next()).rejects.toThrow('INVALID_INPUT');
  });
});
