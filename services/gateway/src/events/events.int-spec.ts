import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runRequests, type Execution } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { collect, namesOf } from '../../test/execution-events.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

describe('the gateway subscribed to', () => {
  it('tells the snapshot, each change, all rows before the final state, and completes', async () => {
    const run = suite.newRun();
    const client = suite.gateway.connect(suite.authorization);
    const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
    await until(() => events.length === 1);
    run.move('RUNNING');
    await suite.tell(run);
    await until(() => events.length === 2);
    await run.commitRows(4);
    await suite.tellRows(run);
    await until(() => events.length === 3);
    await run.commitRows(2);
    run.move('SUCCEEDED');
    await suite.tell(run);
    expect(await done).toBeUndefined();
    expect(namesOf(events)).toEqual([
      'ExecutionSnapshot',
      'ExecutionStateChanged',
      'RowsAppended',
      'RowsAppended',
      'ExecutionStateChanged',
    ]);
    expect(events.map((event) => event['page']?.offset).filter((offset) => offset !== undefined)).toEqual([0, 4]);
    expect(events.flatMap((event) => event['page']?.rows ?? [])).toHaveLength(6);
    expect(events.at(-1)).toMatchObject({ state: 'SUCCEEDED', version: 3, execution: { version: 3 } });
    await client.dispose();
  });

  it('goes on at another gateway from where a client was, and tells the end also to who comes late', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(3);
    const client = suite.gateway.connect(suite.authorization);
    const before = collect(client, { id: run.execution.id, includeRows: true });
    await until(() => namesOf(before.events).includes('RowsAppended'));
    before.end();
    await client.dispose();
    await run.commitRows(2);
    run.move('SUCCEEDED');
    const elsewhere = suite.other.connect(suite.authorization);
    const after = before.events.at(-1)?.['cursor'] as string;
    const resumed = collect(elsewhere, { id: run.execution.id, includeRows: true, after });
    expect(await resumed.done).toBeUndefined();
    expect(namesOf(resumed.events)).toEqual(['ExecutionSnapshot', 'RowsAppended', 'ExecutionStateChanged']);
    expect(resumed.events[1]?.['page'].offset).toBe(3);
    const wrong = collect(elsewhere, { id: run.execution.id, includeRows: false, after });
    await wrong.done;
    expect(wrong.results[0]?.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
    await elsewhere.dispose();
  });

  it('tells the latest state within seconds where the messages about it were lost', async () => {
    const run = suite.newRun();
    const client = suite.gateway.connect(suite.authorization);
    const { events, done } = collect(client, { id: run.execution.id });
    await until(() => events.length === 1);
    run.move('RUNNING');
    run.move('FAILED');
    await done;
    expect(events.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'FAILED', version: 3 });
    await client.dispose();
  });

  it('says that an unknown execution is not there', async () => {
    const client = suite.gateway.connect(suite.authorization);
    const { results, done } = collect(client, { id: newId('execution') });
    await done;
    expect(results[0]?.errors?.[0]).toMatchObject({ path: ['executionEvents'], extensions: { code: 'NOT_FOUND' } });
    await client.dispose();
  });

  it('tells each of the caller’s executions that ends', async () => {
    const run = suite.newRun();
    const ended: Execution[] = [];
    suite.services.on(runRequests.listFinished, ({ after }) => ({
      finished: after
        ? ended.slice(after.sequence).map((execution, index) => ({
            position: { xid: '1', sequence: after.sequence + index + 1 },
            execution,
          }))
        : [],
      position: { xid: '1', sequence: ended.length },
      skipped: false,
    }));
    const client = suite.gateway.connect(suite.authorization);
    const seen: unknown[] = [];
    client.subscribe<Record<string, unknown>>(
      { query: 'subscription { executionsFinished { cursor execution { id state } } }' },
      { next: ({ data }) => seen.push(data?.['executionsFinished']), error: () => {}, complete: () => {} },
    );
    await until(() => suite.services.asked.includes('ListFinished'));
    run.move('SUCCEEDED');
    ended.push(run.execution);
    await suite.tell(run);
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ execution: { id: run.execution.id, state: 'SUCCEEDED' } });
    await client.dispose();
  });
});
