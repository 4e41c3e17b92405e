import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { resultsRequests, runRequests, type Execution } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
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

  it('R7: tells the final state within five seconds to one who comes back, whatever was lost meanwhile, and on any gateway', async () => {
    const run = suite.newRun();
    const client = suite.gateway.connect(suite.authorization);
    const before = collect(client, { id: run.execution.id });
    await until(() => before.events.length === 1);
    await client.dispose();
    const after = before.events[0]?.['cursor'] as string;
    const back = suite.other.connect(suite.authorization);
    // It ends unheard while the one is away, and while the other is there already.
    const waiting = collect(back, { id: run.execution.id, after });
    await until(() => waiting.events.length === 1);
    run.move('RUNNING');
    run.move('SUCCEEDED');
    const begun = performance.now();
    const late = collect(back, { id: run.execution.id, after });
    await Promise.all([waiting.done, late.done]);
    // The reconciler asks every five seconds, and is answered.
    expect(performance.now() - begun).toBeLessThan(6_000);
    for (const { events } of [waiting, late]) {
      expect(events.at(-1)).toMatchObject({ __typename: 'ExecutionStateChanged', state: 'SUCCEEDED', version: 3 });
    }
    await back.dispose();
  });

  it('asks for the rows of a small whole result once for all who come back to it, and tells each of them all', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.sealInline(5);
    run.move('SUCCEEDED');
    const client = suite.gateway.connect(suite.authorization);
    const asked = suite.services.asked.length;
    for (let time = 0; time < 3; time += 1) {
      const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
      expect(await done).toBeUndefined();
      expect(events.flatMap((event) => event['page']?.rows ?? [])).toHaveLength(5);
    }
    const lookups = suite.services.asked.slice(asked).filter((name) => name === 'LocatePages');
    expect(lookups).toHaveLength(1);
    await client.dispose();
  });

  it('tells by EventsSkipped that rows are gone with their result, once, and then the final state', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(4);
    const client = suite.gateway.connect(suite.authorization);
    const before = collect(client, { id: run.execution.id, includeRows: true });
    await until(() => before.events.length === 2);
    before.end();
    await run.commitRows(2);
    run.move('SUCCEEDED');
    run.execution.rows = run.rowCount;
    const restore = suite.services.answersWith(resultsRequests.locatePages, () => {
      throw new AppError('result.expired', 'The result has expired.');
    });
    const resume = async (after: unknown) => {
      const resumed = collect(client, { id: run.execution.id, includeRows: true, after });
      await resumed.done;
      expect(resumed.results.flatMap(({ errors = [] }) => errors)).toEqual([]);
      return resumed.events;
    };
    const events = await resume(before.events[1]?.['cursor']);
    expect(namesOf(events)).toEqual(['ExecutionSnapshot', 'EventsSkipped', 'ExecutionStateChanged']);
    expect(namesOf(await resume(events[1]?.['cursor']))).toEqual(['ExecutionSnapshot', 'ExecutionStateChanged']);
    restore();
    await client.dispose();
  });

  it('tells no row of a small result whose time is over, though it was kept in memory', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.sealInline(5);
    run.expiresAt = new Date(Date.now() + 60_000);
    run.move('SUCCEEDED');
    run.execution.rows = run.rowCount;
    const client = suite.gateway.connect(suite.authorization);
    const tell = async () => {
      const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
      expect(await done).toBeUndefined();
      return namesOf(events);
    };
    expect(await tell()).toEqual(['ExecutionSnapshot', 'RowsAppended', 'ExecutionStateChanged']);
    const restore = suite.services.answersWith(resultsRequests.locatePages, () => {
      throw new AppError('result.expired', 'The result has expired.');
    });
    expect(await tell()).toContain('RowsAppended');
    vi.useFakeTimers({ toFake: ['Date'], now: run.expiresAt });
    try {
      expect(await tell()).toEqual(['ExecutionSnapshot', 'EventsSkipped', 'ExecutionStateChanged']);
    } finally {
      vi.useRealTimers();
      restore();
    }
    await client.dispose();
  });

  it('tells by EventsSkipped that executions which ended are no longer listed, and goes on behind them', async () => {
    const { execution } = suite.newRun();
    const client = suite.gateway.connect(suite.authorization);
    const listing = (keptFrom: number) =>
      suite.services.answersWith(runRequests.listFinished, ({ after }) => {
        const sequence = after?.sequence ?? 0;
        const kept = [1, 2, 3].filter((each) => each >= keptFrom && each > sequence);
        const finished = after ? kept.map((each) => ({ position: { xid: '1', sequence: each }, execution })) : [];
        return {
          finished,
          position: { xid: '1', sequence: after ? 3 : 0 },
          skipped: after !== undefined && sequence < keptFrom - 1,
        };
      });
    const query = `subscription ($after: EventCursor) { executionsFinished(after: $after) {
      __typename cursor ... on EventsSkipped { reason } } }`;
    const take = async (count: number, after?: string) => {
      const seen: { __typename: string; cursor: string; reason?: string }[] = [];
      const variables = { after };
      for await (const { data } of client.iterate<{ executionsFinished: (typeof seen)[number] }>({
        query,
        variables,
      })) {
        if (data) seen.push(data.executionsFinished);
        if (seen.length === count) break;
      }
      return seen;
    };
    const restore = listing(1);
    const [first] = await take(1);
    restore();
    listing(3);
    const seen = await take(2, first?.cursor);
    expect(seen.map(({ __typename }) => __typename)).toEqual(['EventsSkipped', 'ExecutionStateChanged']);
    expect(seen[0]?.reason).toContain('no longer listed');
    expect(await take(1, seen[0]?.cursor)).toEqual([seen[1]]);
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
