// `npm run bench`: every bench with its control, and the table of docs/benchmarks.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { BenchResult, Effort } from './bench.ts';
import { benchBus } from './bus.bench.ts';
import { benchCached } from './cached.bench.ts';
import { benchCapacity, capacitySlots } from './capacity.bench.ts';
import { benchEncoding } from './encoding.bench.ts';
import { benchFirehose, waitingRuns } from './firehose.bench.ts';
import { benchDownload } from './download.bench.ts';
import { benchFlight } from './flight.bench.ts';
import { startInstallation } from './installation.ts';
import { benchLatency } from './latency.bench.ts';
import { benchNoisy, noisySlots } from './noisy.bench.ts';
import { benchPages } from './pages.bench.ts';
import { benchPlanning } from './planning.bench.ts';
import { benchPools, slotsPerWorker } from './pools.bench.ts';
import { benchQueue } from './queue.bench.ts';
import { hasMissed, thisMachine, toJson, toLine, withSection } from './report.ts';
import { benchRepeat } from './repeat.bench.ts';
import { benchRevocation } from './revocation.bench.ts';
import { benchRows } from './rows.bench.ts';
import { benchResume } from './resume.bench.ts';
import { benchScim } from './scim.bench.ts';
import { benchSignIns, localIssuer } from './sign-ins.bench.ts';
import { benchStart } from './start.bench.ts';
import { benchSubscriptions, manySockets } from './subscriptions.bench.ts';
import { benchTokenCheck } from './token-check.bench.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const table = 'docs/benchmarks.md';

interface Options {
  only: readonly string[];
  effort: Effort;
  json: string | undefined;
  strict: boolean;
  isRecord: boolean;
}

const benches: Readonly<Record<string, (effort: Effort) => Promise<BenchResult>>> = {
  bus: (effort) => benchBus(effort, say),
  start: (effort) => benchStart(effort, say),
  latency: (effort) => onMesh((mesh) => benchLatency(mesh, effort, say)),
  rows: (effort) => onMesh((mesh) => benchRows(mesh, effort, say)),
  // Without pages in memory, so that reads are of the store.
  pages: (effort) => onMesh((mesh) => benchPages(mesh, effort, say), { SLUICE_GATEWAY_PAGE_CACHE_BYTES_MAX: '0' }),
  encoding: (effort) => benchEncoding(effort, say),
  download: (effort) => onMesh((mesh) => benchDownload(mesh, effort, say)),
  cached: (effort) => onMesh((mesh) => benchCached(mesh, effort, say)),
  repeat: (effort) => onMesh((mesh) => benchRepeat(mesh, effort, say)),
  planning: (effort) => benchPlanning(effort, say),
  flight: (effort) => onMesh((mesh) => benchFlight(mesh, effort, say)),
  queue: (effort) => onMesh((mesh) => benchQueue(mesh, effort, say)),
  subscriptions: (effort) => onMesh((mesh) => benchSubscriptions(mesh, effort, say), manySockets),
  firehose: (effort) => onMesh((mesh) => benchFirehose(mesh, effort, say), waitingRuns),
  resume: (effort) => onMesh((mesh) => benchResume(mesh, effort, say), manySockets),
  scim: (effort) => onMesh((mesh) => benchScim(mesh, effort, say)),
  capacity: (effort) =>
    onMesh((mesh) => benchCapacity(mesh, effort, say), { SLUICE_WORKER_SLOTS: String(capacitySlots) }),
  pools: (effort) => onMesh((mesh) => benchPools(mesh, effort, say), { SLUICE_WORKER_SLOTS: String(slotsPerWorker) }),
  'sign-ins': (effort) => onMesh((mesh) => benchSignIns(mesh, effort, say), localIssuer),
  'token-check': (effort) => benchTokenCheck(effort, say),
  revocation: (effort) => onMesh((mesh) => benchRevocation(mesh, effort, say)),
  noisy: (effort) => onMesh((mesh) => benchNoisy(mesh, effort, say), { SLUICE_WORKER_SLOTS: String(noisySlots) }),
};

const help = `npm run bench [-- options]

Measures Sluice against controls in the same run, prints each result and writes it to docs/benchmarks.md.

  --only <names>  some of them, between commas; the others keep what is written of them
  --rounds <n>    rounds of each bench (default 5)
  --quick         one short round of each, to see that they work; nothing is written
  --full          5,000,000 rows in the bench of rows, and not 1,000,000
  --json <file>   write the results as JSON too
  --strict        exit code 1 where a target is not met
  --help          this text

The benches are: ${Object.keys(benches).join(', ')}.

Exit codes: 0 measured, 1 a bench failed (the reason is printed) or a target was not met (--strict), 2 wrong options.`;

async function onMesh(
  bench: (mesh: Awaited<ReturnType<typeof startInstallation>>) => Promise<BenchResult>,
  env: Record<string, string> = {},
): Promise<BenchResult> {
  const mesh = await startInstallation(env);
  try {
    return await bench(mesh);
  } finally {
    await mesh.stop();
  }
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      json: { type: 'string' },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    say(help);
    process.exit(0);
  }
  const only = values.only?.split(',') ?? Object.keys(benches);
  const unknown = only.filter((name) => !Object.hasOwn(benches, name));
  if (unknown.length > 0)
    throw new Error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.');
  return {
    only,
    effort: { ...(values.quick ? { rounds: 1, scale: 0.1 } : { rounds, scale: 1 }), isFull: values.full },
    json: values.json,
    strict: values.strict,
    isRecord: !values.quick,
  };
}

async function run({ only, effort, json, strict, isRecord }: Options): Promise<void> {
  const results: BenchResult[] = [];
  for (const name of only) {
    say(`${name} …`);
    const result = await benches[name]?.(effort);
    if (!result) continue;
    results.push(result);
    for (const measure of result.measures) say(toLine(measure));
    // One by one, so that what breaks off has written what it has measured.
    if (isRecord) record(name, result);
  }
  const machine = thisMachine();
  if (json !== undefined) writeFileSync(json, toJson(results, machine, new Date()));
  if (isRecord) say(`\n${table} has the table.`);
  if (strict && results.some(hasMissed)) process.exitCode = 1;
}

function record(name: string, result: BenchResult): void {
  const before = existsSync(table) ? readFileSync(table, 'utf8') : '';
  const measured = { machine: thisMachine(), date: new Date() };
  writeFileSync(table, withSection(before, Object.keys(benches), { name, result }, measured));
}

function optionsOrExit(): Options {
  try {
    return readOptions();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}\n`);
    process.exit(2);
  }
}

await run(optionsOrExit()).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
