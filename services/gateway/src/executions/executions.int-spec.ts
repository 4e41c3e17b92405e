import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runRequests } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { sourceId } from '../../test/fake-run.js';
import type { Answer } from '../../test/gateway-harness.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

describe('the gateway asked to run queries', () => {
  const runQuery = `mutation ($input: RunQueryInput!) {
    runQuery(input: $input) {
      execution { id state error { code } result { state rowCount columns { name } rows(first: 10) { offset rows hasNextPage endCursor } } }
      errors { code path }
    }
  }`;
  const input = (waitSeconds = 0) => ({
    input: { query: { sql: { dataSourceId: sourceId, text: 'select 1' } }, waitSeconds },
  });

  it('answers at once without a wait', async () => {
    const run = suite.newRun();
    suite.services.on(runRequests.submitExecution, () => ({ execution: run.execution }));
    const { data } = await suite.gateway.ask(runQuery, input(), { authorization: suite.authorization });
    expect(data?.['runQuery']).toMatchObject({ execution: { id: run.execution.id, state: 'QUEUED' }, errors: [] });
  });

  it('answers with the rows as soon as the run has ended, without polling', async () => {
    const run = suite.newRun();
    suite.services.on(runRequests.submitExecution, () => ({ execution: structuredClone(run.execution) }));
    const answer = suite.gateway.ask(runQuery, input(30), { authorization: suite.authorization });
    await until(() => suite.services.asked.includes('SubmitExecution'));
    run.move('RUNNING');
    await suite.tell(run);
    await run.sealInline(3);
    run.move('SUCCEEDED');
    await suite.tell(run);
    const { data, errors } = await answer;
    expect(errors).toBeUndefined();
    expect(data?.['runQuery'].execution).toMatchObject({
      state: 'SUCCEEDED',
      result: {
        state: 'COMPLETE',
        rowCount: 3,
        rows: {
          offset: 0,
          rows: [
            [0, 'ž\u2028"'],
            [1, 'ž\u2028"'],
            [2, 'ž\u2028"'],
          ],
          hasNextPage: false,
        },
      },
    });
    expect(suite.services.asked.filter((name) => name === 'GetExecutions').length).toBeLessThanOrEqual(2);
    // The rows travelled with the manifest.
    expect(suite.services.asked).not.toContain('LocatePages');
  });

  it('answers when the wait is over, also where nothing has happened', async () => {
    const run = suite.newRun();
    suite.services.on(runRequests.submitExecution, () => ({ execution: run.execution }));
    const { data } = await suite.gateway.ask(runQuery, input(0.2), { authorization: suite.authorization });
    expect(data?.['runQuery'].execution.state).toBe('QUEUED');
  });

  it('tells a refusal as data, with where it lies', async () => {
    suite.services.on(runRequests.submitExecution, () => {
      throw new AppError('sql.not_read_only', 'Only one SELECT.', { path: ['query', 'sql', 'text'] });
    });
    const { data } = await suite.gateway.ask(runQuery, input(), { authorization: suite.authorization });
    expect(data?.['runQuery']).toEqual({
      execution: null,
      errors: [{ code: 'SQL_NOT_READ_ONLY', path: ['query', 'sql', 'text'] }],
    });
    const negative = await suite.gateway.ask(runQuery, input(-1), { authorization: suite.authorization });
    expect(negative.data?.['runQuery'].errors).toEqual([{ code: 'INVALID_INPUT', path: ['waitSeconds'] }]);
  });

  it('starts several side by side, each by itself', async () => {
    const run = suite.newRun();
    suite.services.on(runRequests.submitExecution, ({ query }) => {
      const text = query.case === 'sql' ? query.value.text : '';
      if (text === 'fault') throw new Error('boom');
      if (text === 'refused') throw new AppError('source.paused', 'Paused.');
      return { execution: run.execution };
    });
    const one = (text: string) => ({ query: { sql: { dataSourceId: sourceId, text } } });
    const mutation =
      'mutation ($inputs: [RunQueryInput!]!) { runQueries(inputs: $inputs) { results { execution { id } errors { code } } } }';
    const inputs = ['good', 'fault', 'refused'].map(one);
    const { data } = await suite.gateway.ask(mutation, { inputs }, { authorization: suite.authorization });
    expect(data?.['runQueries'].results).toEqual([
      { execution: { id: run.execution.id }, errors: [] },
      { execution: null, errors: [{ code: 'INTERNAL' }] },
      { execution: null, errors: [{ code: 'DATA_SOURCE_UNAVAILABLE' }] },
    ]);
    const many = await suite.gateway.ask(
      mutation,
      { inputs: Array(51).fill(one('good')) },
      { authorization: suite.authorization },
    );
    expect(many.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('pages through rows by cursor and offset, and refuses both at once, strange cursors and strange columns', async () => {
    const run = suite.newRun();
    await run.commitRows(5);
    run.move('SUCCEEDED');
    const page = async (args: string): Promise<Answer> =>
      suite.gateway.ask(
        `{ execution(id: "${run.execution.id}") { result { rows(${args}) { offset rows endCursor hasNextPage } } } }`,
        {},
        { authorization: suite.authorization },
      );
    const first = (await page('first: 2, columns: ["n"]')).data?.['execution'].result.rows;
    expect(first).toMatchObject({ offset: 0, rows: [[0], [1]], hasNextPage: true });
    const next = (await page(`first: 9, after: "${first.endCursor}"`)).data?.['execution'].result.rows;
    expect(next).toMatchObject({ offset: 2, hasNextPage: false });
    expect(next.rows).toHaveLength(3);
    expect((await page('first: 2, offset: 4')).data?.['execution'].result.rows.rows).toHaveLength(1);
    for (const bad of [
      'first: 0',
      'first: 10001',
      'first: 1, after: "x"',
      `first: 1, offset: 1, after: "${first.endCursor}"`,
      'first: 1, columns: ["nope"]',
      'first: 1, columns: ["n", "n"]',
      'first: 1, offset: -1',
    ]) {
      const { data, errors } = await page(bad);
      expect(data?.['execution'].result.rows, bad).toBeNull();
      expect(errors?.[0]?.extensions, bad).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('finds a node by its id, and says nothing of what is not there', async () => {
    const run = suite.newRun();
    run.move('SUCCEEDED');
    const result = run.execution.id.replace('exe', 'res');
    const query = 'query ($id: ID!) { node(id: $id) { __typename id } }';
    const node = async (id: string) =>
      (await suite.gateway.ask(query, { id }, { authorization: suite.authorization })).data?.['node'];
    expect(await node(run.execution.id)).toEqual({ __typename: 'Execution', id: run.execution.id });
    expect(await node(result)).toEqual({ __typename: 'Result', id: result });
    expect(await node(newId('execution'))).toBeNull();
    expect(await node('nonsense')).toBeNull();
  });
});
