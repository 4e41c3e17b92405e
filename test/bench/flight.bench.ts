import { Agent } from 'node:http';
import { Api } from './api.ts';
import { startBareApollo } from './bare-apollo.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { post, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';

const callers = 1_000;
const answerBytes = 300;

interface Answered {
  readonly runs: number;
  /** From the end of the run to the last caller's answer. */
  readonly lastMs: number;
}

/** Equal questions of many at once: one run at the source, and how long after its end the last of them is answered. */
export async function benchFlight(mesh: Installation, { rounds }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const bare = await startBareApollo(answerBytes);
  try {
    const { id: dataSourceId } = await api.source('flights_pg');
    // Compiled code is warm in both.
    await askAll(mesh, dataSourceId);
    await lastOf(bare.question);
    const last: Round[] = [];
    const runs: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const ours = await askAll(mesh, dataSourceId);
      last.push({ ours: ours.lastMs, control: await lastOf(bare.question) });
      runs.push({ ours: ours.runs, control: 1 });
      say(`  round ${round + 1}: ${ours.runs} run, the last answer ${ours.lastMs.toFixed(0)} ms after its end`);
    }
    return {
      name: 'One run for many',
      method: `${callers} equal questions at once over ${callers} connections, each waiting for its answer (\`waitSeconds\`), about a statement of
two seconds: from the end of the run, by the server's clock, to the last answer. The control is Apollo Server on Express
that answers as many at once with a constant.`,
      measures: [
        {
          name: `runs at the source for ${callers} callers`,
          unit: '',
          control: 'one',
          rounds: runs,
          target: { of: 'ours', atMost: 1 },
        },
        {
          name: 'from the end of the run to the last answer',
          unit: 'ms',
          control: `${callers} constants by bare Apollo Server`,
          rounds: last,
          target: { of: 'ours', atMost: 250 },
        },
      ],
    };
  } finally {
    await bare.stop();
    await api.close();
  }
}

let asked = Date.now();

async function askAll({ access }: Installation, dataSourceId: string): Promise<Answered> {
  asked += 1;
  // About two seconds on one core; the number makes each round's text its own.
  const text = `select count(*) from flights a join (select n from generate_series(1, 12) n) b on a.distance <> b.n + ${asked}`;
  const query = `mutation ($input: RunQueryInput!) { runQuery(input: $input) {
    execution { id state finishedAt cache { status } } errors { message } } }`;
  const statuses: string[] = [];
  let finishedAt = 0;
  const question: Repeated = {
    url: access.graphqlUrl,
    headers: { authorization: `Key ${access.apiKey}` },
    body: JSON.stringify({ query, variables: { input: { query: { sql: { dataSourceId, text } }, waitSeconds: 60 } } }),
    check: (answer) => {
      // The shape that the query asks for.
      const { data } = JSON.parse(answer) as {
        data: { runQuery: { execution: { state: string; finishedAt: string; cache: { status: string } } | null } };
      };
      const execution = data.runQuery.execution;
      if (execution?.state !== 'SUCCEEDED') throw new Error(`not answered: ${answer.slice(0, 300)}`);
      statuses.push(execution.cache.status);
      finishedAt = Math.max(finishedAt, Date.parse(execution.finishedAt));
    },
  };
  await atOnce(question);
  return { runs: statuses.filter((status) => status === 'MISS').length, lastMs: Date.now() - finishedAt };
}

async function lastOf(question: Repeated): Promise<number> {
  const begun = performance.now();
  await atOnce(question);
  return performance.now() - begun;
}

async function atOnce(question: Repeated): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  try {
    await Promise.all(Array.from({ length: callers }, () => post(question, agent)));
  } finally {
    agent.destroy();
  }
}
