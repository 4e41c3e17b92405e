import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#libs/testing';
import { collect, executionEvents } from '../../test/execution-events.js';
import { GatewaySuite } from '../../test/gateway-suite.js';
import { costOf } from './cost.js';

let suite: GatewaySuite;
beforeAll(async () => {
  suite = await GatewaySuite.start();
});
afterAll(() => suite.stop());

const query =
  'query ($no: Boolean! = false) { viewer { ...f again: id @include(if: $no) } } fragment f on Viewer { id }';
const cost = { fields: 3, depth: 2 };
const answer = { data: { viewer: { id: 'viewer-1' } }, extensions: { cost } };

function ask(body: object): Promise<Response> {
  return fetch(suite.gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: suite.authorization },
    body: JSON.stringify(body),
  });
}

describe('The cost of an operation', () => {
  it('is told with each answer over HTTP, and with the errors of one that was begun', async () => {
    expect(await (await ask({ query })).json()).toEqual(answer);
    expect(await (await ask({ query, variables: { no: 'x' } })).json()).toMatchObject({
      errors: [{ extensions: { code: 'INVALID_INPUT' } }],
      extensions: { cost },
    });
    expect(await (await ask({ query: '{ nothing }' })).json()).not.toHaveProperty('extensions');
  });

  it('is told over SSE', async () => {
    const response = await fetch(`${suite.gateway.url}/stream`, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: suite.authorization,
      },
      body: JSON.stringify({ query }),
    });
    expect(await response.text()).toContain(`event: next\ndata: ${JSON.stringify(answer)}\n\n`);
  });

  it('is told over WebSocket, with each event of a subscription', async () => {
    const client = suite.gateway.connect(suite.authorization);
    const told = await new Promise<unknown>((next, error) => {
      client.subscribe({ query }, { next, error, complete: () => undefined });
    });
    expect(told).toEqual(answer);
    const run = suite.newRun();
    const { results, done } = collect(client, { id: run.execution.id });
    await until(() => results.length === 1);
    run.move('SUCCEEDED');
    await suite.tell(run);
    await done;
    const extensions = { cost: costOf(parse(executionEvents)) };
    expect(results.map((result) => result.extensions)).toEqual([extensions, extensions]);
    await client.dispose();
  });
});
