import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditRequests, resultsRequests } from '#libs/contracts';
import { until } from '#libs/testing';
import { collect, namesOf } from '../../test/execution-events.js';
import type { FakeRun } from '../../test/fake-run.js';
import type { Answer, TestGateway } from '../../test/gateway-harness.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
  suite.services.on(auditRequests.recordAccess, () => ({}));
});
beforeEach(() => suite.forget());
afterAll(() => suite.stop());

const unavailable = { code: 'RESULT_STORE_UNAVAILABLE', retryable: true };
const timesAsked = (): number => suite.services.asked.filter((name) => name === 'GetStore').length;

async function newResult(pages: number): Promise<FakeRun> {
  const run = suite.newRun();
  for (let page = 0; page < pages; page++) await run.commitRows(2);
  run.move('SUCCEEDED');
  return run;
}

function readRows(gateway: TestGateway, { execution }: FakeRun, offset = 0): Promise<Answer> {
  return gateway.ask(
    `{ execution(id: "${execution.id}") { result { rows(first: 2, offset: ${offset}, columns: ["n"]) { rows } download(format: NDJSON) { url } } } }`,
    {},
    { authorization: suite.authorization },
  );
}

describe('a gateway that sees another result store than the results service', () => {
  it('answers queries, downloads and subscriptions that it is unavailable, none that the result is corrupt, and serves all once it is right', async () => {
    const isRight = suite.services.answersWith(resultsRequests.getStore, () => ({ identity: 'store-2' }));
    const gateway = await suite.startGateway('gateway-astray');
    const run = await newResult(2);
    const { data, errors } = await readRows(gateway, run);
    expect(data?.['execution'].result.rows).toBeNull();
    expect(errors?.map(({ extensions }) => extensions)).toEqual([expect.objectContaining(unavailable)]);
    const address = String(data?.['execution'].result.download.url);
    const refused = await fetch(address);
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringMatching(/^RESULT_STORE_UNAVAILABLE: /)]);
    expect((await gateway.check('result-store'))?.reason).toContain('is not the result store store-2');
    const client = gateway.connect(suite.authorization);
    const { events, done } = collect(client, { id: run.execution.id, includeRows: true });
    await until(() => events.length === 1);

    isRight();
    const answer = await readRows(gateway, run);
    expect(answer.errors).toBeUndefined();
    expect(answer.data?.['execution'].result.rows.rows).toEqual([[0], [1]]);
    expect((await (await fetch(address)).text()).trim().split('\n')).toHaveLength(4);
    expect(await done).toBeUndefined();
    expect(events.flatMap((event) => event['page']?.rows ?? [])).toHaveLength(4);
    expect(namesOf(events).at(-1)).toBe('ExecutionStateChanged');
    await until(async () => (await gateway.check('result-store'))?.ok === true);
    await client.dispose();
  });

  it('gives the rows of small results, which lie in no store', async () => {
    const isRight = suite.services.answersWith(resultsRequests.getStore, () => ({ identity: 'store-2' }));
    const gateway = await suite.startGateway('gateway-inline');
    const run = suite.newRun();
    await run.sealInline(2);
    run.move('SUCCEEDED');
    const { data } = await readRows(gateway, run);
    expect(data?.['execution'].result.rows.rows).toEqual([[0], [1]]);
    expect(timesAsked()).toBe(0);
    isRight();
  });
});

it('a gateway that nobody has asked whether it is ready serves at once, and asks for the store once, however many read', async () => {
  const gateway = await suite.startGateway('gateway-new');
  const run = await newResult(50);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, page) => readRows(gateway, run, page * 2)));
  expect(answers.flatMap(({ data }) => data?.['execution'].result.rows.rows as number[][]).flat()).toEqual(
    Array.from({ length: 100 }, (_, row) => row),
  );
  expect(timesAsked()).toBe(1);
});
