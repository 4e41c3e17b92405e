import type { Agent } from 'node:http';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';

export interface Target {
  readonly graphqlUrl: string;
  readonly websocketUrl: string;
  readonly apiKey: string;
}

const document = `mutation ($input: RunQueryInput!) { runQuery(input: $input) {
  execution { id state cache { status } result { rows(first: 100) { rows } } } errors { code message } } }`;
const timeoutMs = 60_000;

export type Answer = { readonly executionId: string } | { readonly fault: string };

/** What a tile asks: the same text as all others ask, with its rows, or one of its own, which runs and is heard of by push. */
export function tileBody(dataSourceId: string, text: string, isCached: boolean): string {
  const cache = isCached ? { profile: 'DAILY' } : { maxAgeSeconds: 0 };
  const input = {
    query: { sql: { dataSourceId, text } },
    cache,
    waitSeconds: isCached ? 60 : 0,
    priority: 'DASHBOARD',
  };
  return JSON.stringify({ query: document, variables: { input } });
}

/** Asks over HTTP. An answer that was to have rows and has none is a fault. */
export function ask(target: Target, agent: Agent, body: string, hasRows: boolean): Promise<Answer> {
  const send = target.graphqlUrl.startsWith('https:') ? requestTls : request;
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', authorization: `Key ${target.apiKey}` };
    const sent = send(target.graphqlUrl, { method: 'POST', agent, headers, timeout: timeoutMs }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(answerOf(response.statusCode ?? 0, text, hasRows)));
      response.on('error', (error) => resolve({ fault: error.message }));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs / 1_000} s`)));
    sent.on('error', (error) => resolve({ fault: error.message }));
    sent.end(body);
  });
}

/** A fast run may be a run of errors with HTTP 200. */
function answerOf(status: number, text: string, hasRows: boolean): Answer {
  const executionId = /"id":"([^"]+)"/.exec(text)?.[1];
  const isRight = !hasRows || (text.includes('"state":"SUCCEEDED"') && text.includes('"rows":['));
  if (status === 200 && executionId !== undefined && isRight) return { executionId };
  return { fault: `HTTP ${status}: ${text.slice(0, 200)}` };
}

/** The id of the data source of this name. */
export async function findSource(target: Target, name: string): Promise<string> {
  const response = await fetch(target.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Key ${target.apiKey}` },
    body: JSON.stringify({
      query: 'query ($search: String!) { dataSources(first: 100, search: $search) { nodes { id name } } }',
      variables: { search: name },
    }),
  });
  // The shape that the query asks for.
  const { data, errors } = (await response.json()) as {
    data?: { dataSources: { nodes: { id: string; name: string }[] } };
    errors?: { message: string }[];
  };
  const found = data?.dataSources.nodes.find((node) => node.name === name);
  if (found) return found.id;
  throw new Error(errors?.map(({ message }) => message).join('; ') ?? `there is no data source ${name}`);
}
