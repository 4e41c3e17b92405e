import { Api } from './api.ts';
import { startBareApollo } from './bare-apollo.ts';
import { startBareWay } from './bare-way.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { answersPerSecond, oneAtATime, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const connections = 32;
const roundSeconds = 8;
const oneByOne = 500;
const rows = 100;

/** A saved query whose result is kept, asked for over HTTP, with its rows in the answer. */
export async function benchCached(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  try {
    const source = await api.source('flights_pg');
    const ours = await cachedQuestion(api, mesh, source.id);
    const bytes = Buffer.byteLength(await answerOf(ours));
    const control = await startBareApollo(bytes);
    const way = await startBareWay(mesh, { port: Number(source.options['port']), bytes }).catch(
      async (error: unknown) => {
        await control.stop();
        throw error;
      },
    );
    try {
      const throughput: Round[] = [];
      const p50: Round[] = [];
      const ofTheWay: Round[] = [];
      const wayAlone: Round[] = [];
      // Compiled code and connections are warm in both.
      for (const question of [control.question, way.question, ours])
        await answersPerSecond(question, connections, 5 * scale);
      for (let round = 0; round < rounds; round += 1) {
        const [bare, cached] = [
          await answersPerSecond(control.question, connections, roundSeconds * scale),
          await answersPerSecond(ours, connections, roundSeconds * scale),
        ];
        throughput.push({ ours: cached, control: bare });
        const times = [
          await oneAtATime(ours, oneByOne * scale),
          await oneAtATime(control.question, oneByOne * scale),
          await oneAtATime(way.question, oneByOne * scale),
        ] as const;
        const [hit, apollo, bareWay] = times.map((each) => percentile(each, 0.5)) as [number, number, number];
        p50.push({ ours: hit, control: apollo });
        ofTheWay.push({ ours: hit, control: bareWay });
        wayAlone.push({ ours: bareWay, control: apollo });
        say(`  round ${round + 1}: ${cached.toFixed(0)} answers/s, control ${bare.toFixed(0)}`);
      }
      return {
        name: 'A cached answer',
        method: methodOf(bytes),
        measures: [
          {
            name: `cached saved query, ${rows} rows, ${connections} connections`,
            unit: 'answers/s',
            control: 'bare Apollo Server on Express',
            rounds: throughput,
            target: { of: 'ratio', atLeast: 0.6 },
          },
          {
            name: 'the same one at a time, p50',
            unit: 'ms',
            control: 'bare Apollo Server on Express',
            rounds: p50,
            target: { of: 'ratio', atMost: 3 },
          },
          {
            name: 'the same against the bare way of its record, p50',
            unit: 'ms',
            control: 'HTTP, a stream, one insert, a stream back',
            rounds: ofTheWay,
          },
          {
            name: 'not ours: the bare way of a record, p50',
            unit: 'ms',
            control: 'bare Apollo Server on Express',
            rounds: wayAlone,
          },
        ],
      };
    } finally {
      await way.stop();
      await control.stop();
    }
  } finally {
    await api.close();
  }
}

const methodOf = (
  bytes: number,
): string => `\`runQuery\` of a saved query over HTTP with an API key, its ${rows} rows (${bytes} bytes) in the answer, whose status must be
HIT. The control is Apollo Server 5 on Express with a constant of as many bytes, in a process of its own; both are asked by
the same client on the same machine, one after the other. Where the time goes: decisions 0021 and 0048. Of processor time a hit takes about 120 µs in the
gateway, 75 in the orchestrator, 20 to 50 in PostgreSQL and 25 in Redis, the client 65. One at a time
it takes the way of a batch alone, as the record of its execution comes before the answer; what that way costs with nothing on it is the
third control: a server of HTTP, a process behind two Redis streams, and one insert of a row of two columns, on the same Redis and PostgreSQL.`;

async function cachedQuestion(api: Api, mesh: Installation, dataSourceId: string): Promise<Repeated> {
  const sql = `select iata, name, city, state, latitude from airports order by iata limit ${rows}`;
  const { createSavedQuery } = await api.request<{
    createSavedQuery: { savedQuery: { id: string } | null; errors: { message: string }[] };
  }>(
    `mutation ($input: CreateSavedQueryInput!) {
      createSavedQuery(input: $input) { savedQuery { id } errors { message } } }`,
    { input: { name: `bench ${Date.now()}`, dataSourceId, sql } },
  );
  const id = createSavedQuery.savedQuery?.id;
  if (id === undefined) throw new Error(createSavedQuery.errors.map(({ message }) => message).join('; '));
  const query = `mutation ($input: RunQueryInput!) { runQuery(input: $input) {
    execution { id state cache { status ageSeconds } result { rowCount rows(first: ${rows}) { rows } } }
    errors { message } } }`;
  const input = { query: { savedQuery: { id } }, waitSeconds: 30 };
  // The first answer is a run; from then on it is kept.
  await api.request(query, { input });
  return {
    url: mesh.access.graphqlUrl,
    headers: { authorization: `Key ${mesh.access.apiKey}` },
    body: JSON.stringify({ query, variables: { input } }),
    check: (text) => {
      if (!text.includes('"status":"HIT"')) throw new Error(`not a hit: ${text.slice(0, 300)}`);
    },
  };
}

async function answerOf({ url, headers, body }: Repeated): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return response.text();
}
