import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

describe('the result of an execution that left a run which goes on for others', () => {
  it('tells that more rows may follow for as long as they may, and then that none will', async () => {
    const run = suite.newRun();
    run.move('RUNNING');
    await run.commitRows(2);
    run.move('CANCELED');
    run.goesOnForOthers = true;
    const read = async () => {
      const { data, errors } = await suite.gateway.ask(
        `{ execution(id: "${run.execution.id}") { state result { state rows(first: 5) { rows hasNextPage } } } }`,
        {},
        { authorization: suite.authorization },
      );
      expect(errors).toBeUndefined();
      const execution = data?.['execution'];
      expect([execution?.state, execution?.result.state]).toEqual(['CANCELED', 'PARTIAL']);
      return [execution?.result.rows.rows.length, execution?.result.rows.hasNextPage];
    };
    expect(await read()).toEqual([2, true]);
    await run.commitRows(1);
    expect(await read()).toEqual([3, true]);
    run.goesOnForOthers = false;
    expect(await read()).toEqual([3, false]);
  });
});
