import type { Client } from 'graphql-ws';
import { parse } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metadataRequests, runRequests } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { collect, namesOf } from '../../test/execution-events.js';
import type { FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';
import type { ExecutionEvent } from '../events/execution-event.js';
import { plainData } from './event-plan.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

/** So many subscribers to one run, each on a socket of their own, all of whom have been told the snapshot. */
async function subscribers(run: FakeRun, count: number, variables: Record<string, unknown> = {}) {
  const all: ({ client: Client } & ReturnType<typeof collect>)[] = [];
  while (all.length < count) {
    // Of one address only so many may have yet to sign in.
    for (let portion = 0; portion < 10 && all.length < count; portion += 1) {
      const client = suite.gateway.connect(suite.authorization);
      all.push({ client, ...collect(client, { id: run.execution.id, ...variables }) });
    }
    await until(() => all.every(({ events }) => events.length > 0));
  }
  return all;
}

describe('Events of states alone', () => {
  it('are told without being executed, in the schema as the gateway has it: nothing is put around what resolves them', () => {
    const states = '__typename cursor ... on ExecutionStateChanged { state version at }';
    const document = parse(`subscription ($id: ID!) { executionEvents(id: $id) { ${states} } }`);
    // What is not read here is left out of it.
    const event = {
      ...{ __typename: 'ExecutionStateChanged', cursor: 'c1', state: 'RUNNING', version: 7 },
      at: new Date('2030-01-02T03:04:05.678Z'),
    } as unknown as ExecutionEvent;
    expect(plainData({ schema: suite.gateway.schema, document }, event)).toMatchObject({
      executionEvents: { state: 'RUNNING', version: 7 },
    });
  });
});

describe('Subscribers who may be told the same', () => {
  it('are told it by one stream, made once for all of them', async () => {
    const run = suite.newRun();
    const all = await subscribers(run, 50, { includeRows: true });
    await until(async () => (await suite.gateway.metric('streams')) === 1);
    expect(await suite.gateway.metric('watches')).toBe(1);
    const madeBefore = await suite.gateway.metric('events_made_total');
    run.move('RUNNING');
    await suite.tell(run);
    await until(() => all.every(({ events }) => events.length === 2));
    await run.commitRows(10);
    await suite.tellRows(run);
    await until(() => all.every(({ events }) => events.length === 3));
    run.move('SUCCEEDED');
    await suite.tell(run);
    await Promise.all(all.map(({ done }) => done));
    for (const { events } of all) {
      expect(namesOf(events)).toEqual([
        'ExecutionSnapshot',
        'ExecutionStateChanged',
        'RowsAppended',
        'ExecutionStateChanged',
      ]);
      expect(events[2]?.['page'].rows).toHaveLength(10);
    }
    expect((await suite.gateway.metric('events_made_total')) - madeBefore).toBe(3);
    await Promise.all(all.map(async ({ client }) => client.dispose()));
  });

  it('are joined by one who resumes, who hears nothing twice', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    const [first] = await subscribers(run, 1, { includeRows: true });
    await run.commitRows(5);
    await suite.tellRows(run);
    await until(() => first?.events.length === 2);
    const after = first?.events[0]?.['cursor'] as string;
    const [resumed] = await subscribers(run, 1, { includeRows: true, after });
    await until(async () => (await suite.gateway.metric('streams')) === 1);
    run.move('SUCCEEDED');
    await suite.tell(run);
    await Promise.all([first?.done, resumed?.done]);
    expect(namesOf(resumed?.events ?? [])).toEqual(['ExecutionSnapshot', 'RowsAppended', 'ExecutionStateChanged']);
    await Promise.all([first?.client.dispose(), resumed?.client.dispose()]);
  });

  it('are those with the same rights, whatever they prove them by: for all of them it is read once', async () => {
    const run = suite.newRun();
    const sessions = [newId('session'), newId('session'), newId('session')];
    const tokens = await Promise.all(sessions.map((sessionId) => suite.tokenFor({ sessionId })));
    const clients = tokens.map((token) => suite.gateway.connect(`Bearer ${token}`));
    const all = clients.map((client) => collect(client, { id: run.execution.id }));
    await until(() => all.every(({ events }) => events.length === 1));
    await until(async () => (await suite.gateway.metric('streams')) === 1);
    suite.forget();
    await suite.doubt(run);
    await until(() => all.every(({ events }) => events.length === 2));
    expect(suite.services.asked.filter((pattern) => pattern === 'GetExecutions')).toHaveLength(1);
    await Promise.all(clients.map(async (client) => client.dispose()));
  });

  it('go on without a word where the token of one of them has ended, who alone is sent away', async () => {
    const run = suite.newRun();
    const [ended, good] = await Promise.all(
      [newId('session'), newId('session')].map((sessionId) => suite.tokenFor({ sessionId })),
    );
    const clients = [ended, good].map((token) => suite.gateway.connect(`Bearer ${token}`));
    // What all are told is read by the token of whoever came first.
    const both: ReturnType<typeof collect>[] = [];
    for (const client of clients) {
      both.push(collect(client, { id: run.execution.id }));
      await until(() => both.every(({ events }) => events.length === 1));
      await until(async () => (await suite.gateway.metric('streams')) === 1);
    }
    const [first, second] = both;
    const restore = suite.services.answersWith(runRequests.getExecutions, (_input, { actor }) => {
      const isEnded = actor.case === 'accessToken' && actor.value === ended;
      if (isEnded) throw new AppError('auth.token_expired', 'The access token has ended.');
      return { executions: [run.execution] };
    });
    await suite.doubt(run);
    expect(await first?.done).toMatchObject({ code: 4403 });
    run.move('SUCCEEDED');
    await suite.tell(run);
    expect(await second?.done).toBeUndefined();
    expect(second?.events.at(-1)).toMatchObject({ state: 'SUCCEEDED' });
    expect(namesOf(second?.events ?? []).filter((name) => name === 'ExecutionSnapshot')).toHaveLength(1);
    restore();
    await Promise.all(clients.map(async (client) => client.dispose()));
  });

  it('look once where rows lie for all who follow a run, also by rights of their own', async () => {
    const run = suite.newRun();
    const groups = ['north', 'south', 'east', 'west'];
    const tokens = await Promise.all(groups.map((group) => suite.tokenFor({ groups: [group] })));
    const clients = tokens.map((token) => suite.gateway.connect(`Bearer ${token}`));
    const all = clients.map((client) => collect(client, { id: run.execution.id, includeRows: true }));
    await until(() => all.every(({ events }) => events.length === 1));
    run.move('RUNNING');
    await suite.tell(run);
    await until(() => all.every(({ events }) => events.length === 2));
    expect(await suite.gateway.metric('streams')).toBe(4);
    await run.commitRows(10);
    await suite.tellRows(run);
    await until(() => all.every(({ events }) => events.length === 3));
    expect(run.timesFound).toBe(1);
    await Promise.all(clients.map(async (client) => client.dispose()));
  });

  it('are not those with other rights, which are proven and read for by themselves', async () => {
    const run = suite.newRun();
    const one = suite.gateway.connect(suite.authorization);
    const other = suite.gateway.connect(`Bearer ${await suite.tokenFor({ groups: ['other'] })}`);
    const both = [one, other].map((client) => collect(client, { id: run.execution.id }));
    await until(() => both.every(({ events }) => events.length === 1));
    expect(await suite.gateway.metric('streams')).toBe(2);
    await Promise.all([one.dispose(), other.dispose()]);
  });

  it('hear of a fault that passes by a close that makes them come back, on the way and at the beginning', async () => {
    const run = suite.newRun();
    const [one] = await subscribers(run, 1);
    const restore = suite.services.answersWith(runRequests.getExecutions, () => {
      throw new AppError('bus.unavailable', 'Away.', { retryable: true });
    });
    await suite.doubt(run);
    expect(await one?.done).toMatchObject({ code: 1013 });
    expect(one?.results.flatMap(({ errors = [] }) => errors)).toEqual([]);
    const late = suite.gateway.connect(suite.authorization);
    const resumed = collect(late, { id: run.execution.id, after: one?.events[0]?.['cursor'] });
    expect(await resumed.done).toMatchObject({ code: 1013 });
    expect(resumed.results).toEqual([]);
    restore();
    await Promise.all([one?.client.dispose(), late.dispose()]);
  });

  it('are closed with 4403 where a service finds their token ended before their gateway does, and not told an error', async () => {
    const run = suite.newRun();
    const [one] = await subscribers(run, 1);
    const restore = suite.services.answersWith(runRequests.getExecutions, () => {
      throw new AppError('auth.token_expired', 'The access token has ended.');
    });
    await suite.doubt(run);
    expect(await one?.done).toMatchObject({ code: 4403 });
    expect(one?.results.flatMap(({ errors = [] }) => errors)).toEqual([]);
    const late = suite.gateway.connect(suite.authorization);
    expect(await collect(late, { id: run.execution.id }).done).toMatchObject({ code: 4403 });
    restore();
    await Promise.all([one?.client.dispose(), late.dispose()]);
  });

  it('are closed with 4403, too, where that is found while an event is made, and are told no event with holes', async () => {
    const run = suite.newRun();
    const client = suite.gateway.connect(suite.authorization);
    const restore = suite.services.answersWith(metadataRequests.getDataSources, () => {
      throw new AppError('auth.token_expired', 'The access token has ended.');
    });
    const query = `subscription ($id: ID!) { executionEvents(id: $id) { cursor execution { dataSource { name } } } }`;
    const told: unknown[] = [];
    const done = new Promise((resolve) => {
      const sink = { next: (event: unknown) => told.push(event), error: resolve, complete: () => resolve(undefined) };
      client.subscribe({ query, variables: { id: run.execution.id } }, sink);
    });
    expect(await done).toMatchObject({ code: 4403 });
    expect(told).toEqual([]);
    restore();
    await client.dispose();
  });

  it('hear of a fault that lasts by its error', async () => {
    const run = suite.newRun();
    const [one] = await subscribers(run, 1);
    const restore = suite.services.answersWith(runRequests.getExecutions, () => ({ executions: [] }));
    await suite.doubt(run);
    expect(await one?.done).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    restore();
    await one?.client.dispose();
  });
});
