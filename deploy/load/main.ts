// `npm run load`: the profile of many users against an installation; see docs/capacity.md.
import { existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { numberWithin } from '../cli/numbers.ts';
import { shown, table } from '../cli/table.ts';
import { wholeNumber } from '../cli/whole-number.ts';
import { missedBy } from './bounds.ts';
import { articleProfile, type Profile } from './profile.ts';
import type { Target } from './questions.ts';
import { runLoad, type LoadOptions, type LoadResult } from './run-load.ts';

interface Options extends Profile, Omit<LoadOptions, 'profile' | 'seconds' | 'processes'> {
  readonly scale: number;
  readonly minutes: number;
  readonly url?: string;
  readonly key?: string;
  readonly knee: boolean;
  readonly json: boolean;
}

interface Installation {
  readonly target: Target;
  readonly processes: Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
}

const share = numberWithin(0, 1);
const program = new Command('npm run load --')
  .description(
    'Plays many users against an installation: they have a WebSocket open, look at the tiles of a dashboard at once, think\n' +
      'and look again. Without --url an installation is started for it and stopped afterwards.',
  )
  .option('--users <n>', 'users in all', wholeNumber, articleProfile.users)
  .option('--scale <share>', 'of these users, for a smaller machine', numberWithin(0.0001, 1_000), 1)
  .option('--active-share <share>', 'of them at work at the same time', share, articleProfile.activeShare)
  .option('--think-seconds <s>', 'between two views', numberWithin(0.01, 3_600), articleProfile.thinkSeconds)
  .option('--questions-per-view <n>', 'tiles of a dashboard', wholeNumber, articleProfile.questionsPerView)
  .option('--hit-ratio <share>', 'of the tiles answered from the cache', share, articleProfile.hitRatio)
  .option('--minutes <n>', 'how long, after the load has run in', numberWithin(0.01, 1_440), 10)
  .option('--warm-up-seconds <s>', 'until then nothing is counted', numberWithin(0, 3_600), 30)
  .option('--source <name>', 'the data source', 'flights_pg')
  .option(
    '--cached-sql <sql>',
    'what cached tiles ask',
    'select iata, name, city, state from airports order by iata limit 100',
  )
  .option(
    '--fresh-sql <sql>',
    'what others ask, {n} being another number each time',
    'select {n} as n, count(*) from airports',
  )
  .option('--url <url>', 'the GraphQL address of an installation that runs')
  .option('--key <key>', 'an API key of it; else SLUICE_LOAD_KEY')
  .option(
    '--knee',
    'raise the users by half until a bound is missed, --minutes each, and print the last that held',
    false,
  )
  .option('--seed <n>', 'of the users', wholeNumber, 1)
  .option('--json', 'print JSON', false)
  .addHelpText(
    'after',
    `
One key asks for all users, so an installation of your own needs SLUICE_ORCHESTRATOR_QUESTIONS_PER_SECOND,
SLUICE_ORCHESTRATOR_QUESTIONS_BURST, SLUICE_ORCHESTRATOR_RUNS_PER_MINUTE and SLUICE_GATEWAY_SOCKETS_PER_CALLER_MAX to
allow it.
Exit codes: 0 all bounds kept (p95 of a cached dashboard < 500 ms, error rate < 0.1 %, memory flat), 1 failed, 2 wrong
options, 3 a bound was missed.`,
  )
  .exitOverride()
  .action(run);

async function run(options: Options): Promise<void> {
  const installation = options.url === undefined ? await ownInstallation() : theirs(options.url, options.key);
  try {
    await (options.knee ? findKnee(installation, options) : once(installation, options));
  } finally {
    await installation.stop();
  }
}

async function once(installation: Installation, options: Options): Promise<void> {
  const result = await play(installation, options, options.scale);
  const missed = missedBy(result);
  if (options.json) console.log(JSON.stringify({ ...result, missed }));
  else print(result, missed);
  if (missed.length > 0) process.exitCode = 3;
}

async function findKnee(installation: Installation, options: Options): Promise<void> {
  let held: LoadResult | undefined;
  for (let scale = options.scale; ; scale *= 1.5) {
    const result = await play(installation, options, scale);
    const missed = missedBy(result);
    print(result, missed);
    if (missed.length > 0) break;
    held = result;
  }
  if (!held) process.exitCode = 3;
  console.log(held ? `\nThis installation held ${held.activeUsers} users at work.` : '\nIt held not even the first.');
}

function play({ target, processes }: Installation, options: Options, scale: number): Promise<LoadResult> {
  const profile = { ...options, users: options.users * scale };
  return runLoad(target, { ...options, profile, processes, seconds: options.minutes * 60 });
}

/** As the benches start it, with limits that let one key ask for all users. */
async function ownInstallation(): Promise<Installation> {
  const { startInstallation } = await import('../../test/bench/installation.ts');
  const mesh = await startInstallation({
    SLUICE_GATEWAY_SOCKETS_PER_CALLER_MAX: '100000',
    SLUICE_GATEWAY_SOCKETS_SIGNED_OUT_PER_ADDRESS_MAX: '100000',
  });
  const processes = Object.fromEntries(mesh.processNames.map((name) => [name, mesh.pidOf(name)]));
  return { target: mesh.access, processes, stop: () => mesh.stop() };
}

function theirs(graphqlUrl: string, given: string | undefined): Installation {
  const apiKey = given ?? process.env['SLUICE_LOAD_KEY'] ?? localKey();
  if (apiKey === undefined) throw new Error('--key or SLUICE_LOAD_KEY is missing');
  const target = { graphqlUrl, websocketUrl: graphqlUrl.replace(/^http/, 'ws'), apiKey };
  return { target, processes: {}, stop: () => Promise.resolve() };
}

function localKey(): string | undefined {
  const file = '.sluice/local.json';
  // Written by npm start.
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { apiKey: string }).apiKey : undefined;
}

function print(result: LoadResult, missed: readonly string[]): void {
  const { activeUsers, questionsPerSecond, errorRate, faults, memory } = result;
  const lines = {
    'cached dashboard': result.cachedDashboards,
    'cached tile': result.hits,
    'tile that runs': result.runs,
  };
  const rows = Object.entries(lines).map(([name, { count, p50Ms, p95Ms, p99Ms }]) => [
    name,
    String(count),
    ...[p50Ms, p95Ms, p99Ms].map((ms) => `${shown(ms)} ms`),
  ]);
  console.log(
    `\n${activeUsers} users at work, ${shown(questionsPerSecond)} questions/s, error rate ${shown(errorRate * 100)} %\n`,
  );
  console.log(table(['answered', 'count', 'p50', 'p95', 'p99'], rows));
  const megabytes = memory.map(({ name, firstMb, lastMb, peakMb }) => [
    name,
    ...[firstMb, lastMb, peakMb].map((mb) => `${shown(mb)} MB`),
  ]);
  if (megabytes.length > 0) console.log(`\n${table(['memory of', 'at first', 'at last', 'peak'], megabytes)}`);
  for (const fault of faults) console.log(`fault: ${fault}`);
  for (const line of missed) console.log(`MISSED: ${line}`);
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
