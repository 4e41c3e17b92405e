import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import pg from 'pg';
import type { CapacityCosts } from '../../deploy/capacity/costs.ts';
import { measuredSystem } from '../../deploy/capacity/measured-system.ts';
import { RandomTimes } from '../../deploy/capacity/random-times.ts';
import { simulate, type Simulated } from '../../deploy/capacity/simulation.ts';
import { playThinkLoad, secondsAt, type Answers, type ThinkLoad } from '../../deploy/load/think-load.ts';
import { superuserUrl } from '../../deploy/local/postgres-server.ts';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { measureCosts } from './capacity-costs.ts';
import { post, type Repeated } from './http-load.ts';
import type { Installation } from './installation.ts';
import type { Measure, Round } from './measure.ts';
import { thisMachine } from './report.ts';

export const capacitySlots = 4;
const querySeconds = 0.2;
const roundSeconds = 20;
const warmUpSeconds = 5;
const view = 'capacity_random';
const costsFile = new URL('../../deploy/capacity/costs.json', import.meta.url);

const loads: readonly (ThinkLoad & { readonly name: string })[] = [
  { name: 'half', users: 22, thinkSeconds: 2, questionsPerView: 5, hitRatio: 0.8 },
  { name: 'four fifths', users: 36, thinkSeconds: 2, questionsPerView: 5, hitRatio: 0.8 },
];

/** Measured loads of users who think, against what the simulation says of them from the costs of single questions. */
export async function benchCapacity(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const { id: sourceId, options } = await api.source('flights_pg');
  const urlOf = (database: string): string =>
    superuserUrl(Number(options['port']), mesh.secrets().databasePassword, database);
  const sluice = new pg.Client(urlOf('sluice'));
  await sluice.connect();
  try {
    await makeSlowView(urlOf('flights'));
    const questions = questionsAt(mesh, sourceId);
    const counts = { hits: Math.ceil(2_000 * scale), runs: Math.ceil(400 * scale) };
    const { costs: bare, clientCpuSeconds } = await measureCosts(
      mesh,
      sluice,
      { hit: questions.hit, run: questions.runAt('airports limit 1') },
      counts,
    );
    const { cores, cpu } = thisMachine();
    const costs = { measured: { on: new Date().toISOString().slice(0, 10), machine: `${cores} x ${cpu}` }, ...bare };
    say(`  ${JSON.stringify(costs)}`);
    const machine = { cores, slots: capacitySlots, querySeconds, queryVariation: 1, clientCpuSeconds };
    const measures: Measure[] = [];
    for (const load of loads) {
      const system = measuredSystem(costs, { ...machine, hitRatio: load.hitRatio });
      const simulated = simulate(system, load, { warmUpSeconds: 100, seconds: 10_000, seed: 1 });
      const found: Answers[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const span = { warmUpSeconds, seconds: roundSeconds * scale, random: new RandomTimes(round + 1) };
        const answers = await play(load, { hit: () => questions.hit, run: questions.runAt(view) }, span);
        found.push(answers);
        say(`  ${load.name}, round ${round + 1}: ${describe(answers, simulated, roundSeconds * scale)}`);
      }
      measures.push(...measuresOf(load.name, found, simulated, roundSeconds * scale));
    }
    if (scale === 1) writeFileSync(costsFile, `${JSON.stringify(rounded(costs), null, 2)}\n`);
    return { name: 'Capacity: the simulation against a measured load', method, measures };
  } finally {
    await sluice.end();
    await api.close();
  }
}

const method = `First the costs of one question are measured: a cached one and one that runs (processor time of each process with 8 at once,
time alone, how long a run holds its slot). From these alone the simulation of \`sluice capacity\` says what users do who look at 5
tiles at once, 4 of 5 of them cached, and think 2 s: 22 and 36 of them at one worker of ${capacitySlots} slots, whose queries wait at the
source for 0.2 s on average, at random (exponential). The control is what the simulation says; ours is what was measured of the same load,
${roundSeconds} s a round. \`deploy/capacity/costs.json\` is written from it.`;

function questionsAt({ access }: Installation, dataSourceId: string) {
  const query = `mutation ($input: RunQueryInput!) { runQuery(input: $input) {
    execution { state cache { status } result { rows(first: 100) { rows } } } errors { message } } }`;
  const repeated = (text: string, cache: object, status: string): Repeated => ({
    url: access.graphqlUrl,
    headers: { authorization: `Key ${access.apiKey}` },
    body: JSON.stringify({
      query,
      variables: { input: { query: { sql: { dataSourceId, text } }, cache, waitSeconds: 60 } },
    }),
    check: (answer) => {
      const isRight = answer.includes('"state":"SUCCEEDED"') && answer.includes(`"status":"${status}"`);
      if (!isRight && status !== 'HIT') throw new Error(`not a ${status}: ${answer.slice(0, 300)}`);
      if (!isRight && !answer.includes('"state":"SUCCEEDED"')) throw new Error(`not answered: ${answer.slice(0, 300)}`);
    },
  });
  let number = Date.now();
  const sql = `select iata, name, city, state from airports where latitude > ${number % 40}.5 order by iata limit 20`;
  return {
    hit: repeated(sql, { profile: 'DAILY' }, 'HIT'),
    runAt: (from: string) => () =>
      repeated(`select ${(number += 1)} as n from ${from}`, { maxAgeSeconds: 0 }, 'BYPASS'),
  };
}

/** An answer that is not the one that is measured ends the bench. */
async function play(
  load: ThinkLoad,
  questions: Readonly<Record<'hit' | 'run', () => Repeated>>,
  span: Parameters<typeof playThinkLoad>[2],
): Promise<Answers> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  try {
    return await playThinkLoad(load, (kind) => post(questions[kind](), agent).then(() => undefined), span);
  } finally {
    agent.destroy();
  }
}

/** What sleeps is a view, as no question may call such a function. */
async function makeSlowView(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    `create or replace view ${view} as select 1 as one from pg_sleep(-ln(1 - random()) * ${querySeconds})`,
  );
  await client.query(`grant select on ${view} to public`);
  await client.end();
}

function measuresOf(name: string, found: readonly Answers[], simulated: Simulated, seconds: number): Measure[] {
  const control = 'simulated';
  const target = { of: 'ratio', atLeast: 0.8, atMost: 1.2 } as const;
  const against = (value: (answers: Answers) => number, expected: number): Round[] =>
    found.map((answers) => ({ ours: value(answers), control: expected }));
  return [
    {
      ...{ name: `${name} of the slots: throughput`, unit: 'questions/s', control, target },
      rounds: against(({ questions }) => questions / seconds, simulated.questionsPerSecond),
    },
    {
      ...{ name: `${name} of the slots: p95 of all questions`, unit: 'ms', control, target },
      rounds: against(({ all }) => secondsAt(all, 95) * 1_000, simulated.all.p95Seconds * 1_000),
    },
    {
      ...{ name: `${name} of the slots: p95 of those that run`, unit: 'ms', control },
      rounds: against(
        ({ byKind }) => secondsAt(byKind.run, 95) * 1_000,
        (simulated.kinds['run']?.p95Seconds ?? 0) * 1_000,
      ),
    },
  ];
}

function describe({ questions, all, byKind }: Answers, simulated: Simulated, seconds: number): string {
  const ms = (value: number): string => `${(value * 1_000).toFixed(0)} ms`;
  return `${(questions / seconds).toFixed(1)} questions/s, p95 ${ms(secondsAt(all, 95))} (run ${ms(secondsAt(byKind.run, 95))}); simulated ${simulated.questionsPerSecond.toFixed(1)}, ${ms(simulated.all.p95Seconds)} (${ms(simulated.kinds['run']?.p95Seconds ?? 0)})`;
}

function rounded(costs: CapacityCosts): unknown {
  return JSON.parse(
    JSON.stringify(costs, (_, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value)),
  );
}
