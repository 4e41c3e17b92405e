import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runRequests } from '#libs/contracts';
import { AppError, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import type { FakeRun } from '../../test/fake-run.js';
import { GatewaySuite } from '../../test/gateway-suite.js';

let suite: GatewaySuite;
let run: FakeRun;
let recorded: string[];
let ageSeconds: number;
let isRefused: boolean;

beforeAll(async () => {
  suite = await GatewaySuite.start();
});
afterAll(() => suite.stop());

beforeEach(async () => {
  suite.forget();
  run = suite.newRun();
  await run.sealInline(3);
  run.move('SUCCEEDED');
  Object.assign(run.execution, { cacheStatus: 'HIT', cacheAgeSeconds: 3.2 });
  recorded = [];
  ageSeconds = 3.5;
  isRefused = false;
  suite.services.on(runRequests.submitExecution, () => ({ execution: run.execution, repeatableAtRevision: 4 }));
  suite.services.on(runRequests.repeatHits, ({ hits }) => {
    recorded.push(...(isRefused ? [] : hits.map(({ executionId }) => executionId)));
    return {
      hits: hits.map(() => ({
        accepted: !isRefused,
        submittedAt: new Date(recorded.length),
        cacheAgeSeconds: ageSeconds,
      })),
    };
  });
});

const selection = `execution { id __typename state cache { status age: ageSeconds } ...More } errors { code message }`;
const more = `fragment More on Execution { result { id rowCount columns { name } rows(first: 2) { offset rows hasNextPage } } }`;
const document = (fields = selection): string =>
  `mutation ($input: RunQueryInput!) { runQuery(input: $input) { ${fields} } } ${fields === selection ? more : ''}`;

interface Asked {
  readonly query?: string;
  readonly authorization?: string;
  readonly headers?: Record<string, string>;
}

/** A question of its own for each test, by the name of a saved query. */
async function ask(id: string, { query = document(), authorization = suite.authorization, headers = {} }: Asked = {}) {
  const response = await fetch(suite.gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: JSON.stringify({ query, variables: { input: { query: { savedQuery: { id } }, waitSeconds: 1 } } }),
  });
  const text = await response.text();
  return { status: response.status, text, headers: Object.fromEntries(response.headers), ...JSON.parse(text) };
}

/** Such a content type goes by way of Express, where no answer is kept. */
const unkept = { 'content-type': 'application/json; charset="utf-8"' };

describe('an equal request whose answer is kept', () => {
  it('is answered as if its document were executed, by another execution that is recorded before', async () => {
    const id = newId('savedQuery');
    await ask(id);
    const executed = await ask(id, { headers: unkept });
    const answers = [await ask(id), await ask(id), await ask(id)];
    expect(recorded).toHaveLength(4);
    for (const [index, answer] of answers.entries()) {
      const { execution } = answer.data.runQuery;
      expect(execution.id).toBe(recorded[index + 1]);
      expect(answer.extensions).toEqual({ cost: { fields: 20, depth: 5 } });
      expect(execution.result.id.slice(3)).toBe(execution.id.slice(3));
      const ofExecuted: string = executed.data.runQuery.execution.id;
      expect(answer.text).toBe(executed.text.replaceAll(ofExecuted.slice(4), execution.id.slice(4)));
      const { 'x-request-id': requestId, date: _date, ...headers } = answer.headers;
      const { 'x-request-id': otherId, date: _other, ...expected } = executed.headers;
      expect([answer.status, headers]).toEqual([executed.status, expected]);
      expect(requestId).not.toBe(otherId);
    }
  });

  it('tells the age that its result has by then', async () => {
    const id = newId('savedQuery');
    const ages: number[] = [];
    for (const age of [3.2, 3.4, 3.8, 4.1, 4.2, 4.3]) {
      ageSeconds = age;
      ages.push((await ask(id)).data.runQuery.execution.cache.age);
    }
    expect(ages).toEqual([3, 3, 3, 4, 4, 4]);
    // The first was submitted; each other has one execution, also where its document was executed after all.
    expect(recorded).toHaveLength(5);
    expect(new Set(recorded).size).toBe(5);
  });

  it('is submitted like any other where its hit is refused, and told what that comes to', async () => {
    const id = newId('savedQuery');
    for (let times = 0; times < 3; times += 1) await ask(id);
    isRefused = true;
    suite.services.on(runRequests.submitExecution, () => {
      throw new AppError('run.rate_limited', 'Too fast.', { retryable: true, retryAfterSeconds: 2 });
    });
    expect((await ask(id)).data.runQuery).toEqual({
      execution: null,
      errors: [{ code: 'RATE_LIMITED', message: 'Too fast.' }],
    });
  });

  it('is of one caller alone, and of one who still may ask', async () => {
    const id = newId('savedQuery');
    const sessionId = newId('session');
    const authorization = `Bearer ${await suite.tokenFor({ sessionId })}`;
    for (let times = 0; times < 3; times += 1) await ask(id, { authorization });
    suite.forget();
    await ask(id);
    expect(suite.services.asked).toContain('SubmitExecution');
    expect((await ask(id, { authorization: 'Bearer nonsense' })).status).toBe(401);
    suite.revoked.push({ subject: 'SESSION', subjectId: sessionId, notBefore: new Date(Date.now() + 1_000) });
    await until(async () => (await ask(id, { authorization })).status === 401);
  });

  it('is executed where its document asks for what differs from one execution to the next', async () => {
    for (const field of ['submittedAt', 'result { rows(first: 1) { endCursor } }']) {
      const id = newId('savedQuery');
      const query = document(`execution { id ${field} }`);
      const texts: string[] = [];
      for (let times = 0; times < 4; times += 1) {
        const answer = await ask(id, { query });
        texts.push(answer.text.replaceAll(answer.data.runQuery.execution.id, ''));
      }
      expect(new Set(texts.slice(1)).size, field).toBe(3);
    }
  });

  it('is refused by its content type and its origin as every request is', async () => {
    const id = newId('savedQuery');
    for (let times = 0; times < 3; times += 1) await ask(id);
    expect((await ask(id, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await ask(id, { headers: { accept: 'image/png' } })).status).toBe(406);
    expect((await ask(id, { headers: { 'content-type': 'text/plain' } })).status).toBe(400);
  });
});
