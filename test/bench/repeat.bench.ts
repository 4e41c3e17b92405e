import { Agent } from 'node:http';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { post, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { percentile } from './statistics.ts';

const repeats = 50;

/** A question that dashboards ask, over all rows of the bundled data. */
const text = `select origin, count(*) as flights, avg(delay)::float8 as delay
  from flights group by origin order by flights desc limit 20`;

/** What a kept answer spares: the same question run afresh and answered again. */
export async function benchRepeat(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const agent = new Agent({ keepAlive: true });
  const measured: Record<string, Round[]> = { flights_pg: [], flights: [] };
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, all] of Object.entries(measured)) {
        const { id } = await api.source(name);
        const fresh = await timed(question(mesh, id, 0, 'BYPASS'), agent);
        const kept: number[] = [];
        for (let n = 0; n < repeats * scale; n += 1) kept.push(await timed(question(mesh, id, 3600, 'HIT'), agent));
        const ours = percentile(kept, 0.5);
        all.push({ ours, control: fresh });
        say(`  round ${round + 1}, ${name}: ${fresh.toFixed(0)} ms afresh, ${ours.toFixed(1)} ms again`);
      }
    }
  } finally {
    agent.destroy();
    await api.close();
  }
  return {
    name: 'Asked again',
    method: `A group and an order over the 3,000,000 flights, by \`runQuery\` with \`waitSeconds\` over HTTP, one at a time: run afresh
(\`maxAgeSeconds: 0\`), then answered ${repeats} times from what was kept.`,
    measures: Object.entries(measured).map(([name, all]) => ({
      ...{ name: `a kept answer of ${name}, p50`, unit: 'ms', control: 'the same question run afresh', rounds: all },
      target: { of: 'ratio', atMost: 0.1 },
    })),
  };
}

function question({ access }: Installation, dataSourceId: string, maxAgeSeconds: number, status: string): Repeated {
  const query = `mutation ($input: RunQueryInput!) { runQuery(input: $input) {
    execution { state cache { status } result { rows(first: 20) { rows } } } errors { message } } }`;
  const input = { query: { sql: { dataSourceId, text } }, cache: { maxAgeSeconds }, waitSeconds: 60 };
  return {
    url: access.graphqlUrl,
    headers: { authorization: `Key ${access.apiKey}` },
    body: JSON.stringify({ query, variables: { input } }),
    check: (answer) => {
      // The shape that the query asks for.
      const { data } = JSON.parse(answer) as {
        data: { runQuery: { execution: { state: string; cache: { status: string } } | null } };
      };
      const { execution } = data.runQuery;
      if (execution?.state === 'SUCCEEDED' && execution.cache.status === status) return;
      throw new Error(`not answered as expected: ${answer.slice(0, 300)}`);
    },
  };
}

async function timed(asked: Repeated, agent: Agent): Promise<number> {
  const begun = performance.now();
  await post(asked, agent);
  return performance.now() - begun;
}
