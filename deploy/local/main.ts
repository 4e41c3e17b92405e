// The launcher of a local installation; start.mjs has installed and built. Runs until Ctrl-C, then drains and ends all.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isPortFree } from './free-port.ts';
import { isInstalled, Mesh } from './mesh.ts';
import {
  endLeftovers,
  forgetRunning,
  isReady,
  noteReady,
  noteRunning,
  runningLauncher,
  untilForgotten,
} from './running.ts';
import { runStep } from './run-step.ts';
import type { LocalAccess } from './seed.ts';
import { StateDirectory } from './state-directory.ts';
import { waitFor } from './wait-for.ts';

const help = `npm start [-- options]

Starts Sluice on this machine: PostgreSQL, Redis and the six services, with 3,000,000 real flights to ask about.
Writes .sluice/local.json (address, account, API key) and .sluice/operator.env (for sluice doctor). Ctrl-C, or npm stop, drains and ends all of it.

  --detach     return when ready, and leave it running
  --oidc       offer an identity provider of this machine to try single sign-on with
  --no-tour    do not ask the example question
  --json       print only the contents of local.json when ready
  --help       this text

SLUICE_PORT       the port of the API (default 4000)
SLUICE_REDIS_URL  use this Redis instead of starting two
SLUICE_LOCAL_DIRECTORY  where everything is kept (default .sluice)

Exit codes: 0 stopped or started as asked, 1 could not start (the reason is printed), 2 wrong options.`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const options = readOptions();
const directory = process.env['SLUICE_LOCAL_DIRECTORY'] ?? `${root}.sluice`;
const gatewayPort = readPort();
const print = (line: string): void => void (options.json || process.stdout.write(`${line}\n`));

function readPort(): number {
  const text = process.env['SLUICE_PORT'] ?? '4000';
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  process.stderr.write(`SLUICE_PORT must be a port from 1 to 65535, not ${JSON.stringify(text)}.\n`);
  process.exit(2);
}

function readOptions(): { detach: boolean; tour: boolean; json: boolean; oidc: boolean } {
  try {
    const { values } = parseArgs({
      allowNegative: true,
      options: {
        detach: { type: 'boolean', default: false },
        tour: { type: 'boolean', default: true },
        json: { type: 'boolean', default: false },
        oidc: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(`${help}\n`);
      process.exit(0);
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}\n`);
    process.exit(2);
  }
}

/** Prints what takes long, and how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const ticker = setInterval(() => print(`  … ${what} (${((performance.now() - begun) / 1_000).toFixed(0)} s)`), 5_000);
  try {
    const value = await work();
    print(`  ${what}: ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
    return value;
  } finally {
    clearInterval(ticker);
  }
}

async function start(mesh: Mesh): Promise<LocalAccess> {
  await step(isInstalled(directory) ? 'PostgreSQL and Redis' : 'PostgreSQL and Redis, new', () => mesh.startStores());
  noteRunning(mesh);
  await Promise.all([
    step('six services', () => mesh.startServices()),
    step('flights in PostgreSQL', () =>
      runStep({
        name: 'flights',
        port: mesh.postgresPort,
        superuserPassword: mesh.secrets.databasePassword,
        readerPassword: mesh.secrets.readerPassword,
        temporaryFile: mesh.state.file('flights.csv'),
      }),
    ),
  ]);
  noteRunning(mesh);
  const { graphqlUrl, websocketUrl, postgresPort, secrets } = mesh;
  await step('account, data sources, API key', () =>
    runStep({ name: 'seed', directory, graphqlUrl, websocketUrl, postgresPort, secrets }),
  );
  if (options.oidc) {
    await step('identity provider', async () => {
      const issuer = await mesh.startIssuer();
      noteRunning(mesh);
      await runStep({ name: 'provider', directory, ...issuer });
    });
  }
  return readAccess(mesh.state);
}

function readAccess(state: StateDirectory): LocalAccess {
  // Written by the seed just now.
  return JSON.parse(readFileSync(state.file('local.json'), 'utf8')) as LocalAccess;
}

async function showTour(access: LocalAccess): Promise<void> {
  // Loaded only for the tour: the launcher keeps what it has loaded for as long as the mesh runs.
  const tour = await import('./tour.ts');
  await tour.showTour(access, print);
}

async function runInForeground(): Promise<void> {
  const state = new StateDirectory(directory);
  if (runningLauncher(state) !== undefined) throw new Error('Sluice is running already; npm stop ends it.');
  const left = await endLeftovers(state);
  if (left > 0) print(`Ended ${left} process(es) that an earlier start had left behind.`);
  if (!(await isPortFree(gatewayPort))) {
    throw new Error(`Port ${gatewayPort} is taken; choose another: SLUICE_PORT=4001 npm start`);
  }
  const mesh = new Mesh({
    directory,
    gatewayPort,
    restartCrashed: true,
    withIssuer: options.oidc,
    restarted: () => noteRunning(mesh),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  try {
    const begun = performance.now();
    print('Starting Sluice');
    const access = await Promise.race([start(mesh), stop.then(() => undefined)]);
    if (access) {
      if (options.tour && !options.json) await showTour(access);
      announce(access, (performance.now() - begun) / 1_000);
      noteReady(state);
      await Promise.race([stop, untilForgotten(state)]);
    }
  } finally {
    print('\nStopping');
    await mesh.stop();
    forgetRunning(state);
  }
}

function announce(access: LocalAccess, seconds: number): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(access)}\n`);
    return;
  }
  const place = directory === `${root}.sluice` ? '.sluice' : directory;
  print(`
Ready after ${seconds.toFixed(1)} s.

  GraphQL     ${access.graphqlUrl}
  WebSocket   ${access.websocketUrl}  (graphql-transport-ws)
  Account     ${access.email}, workspace ${access.workspace}; its password and an API key are in ${place}/local.json
  Sources     flights (DuckDB over parquet), flights_pg (PostgreSQL): tables flights and airports
  Logs        ${place}/log/${access.ssoUrl === undefined ? '' : `\n  Sign-on     ${access.ssoUrl}  (in a browser; docs/sso-oidc.md says more)`}
  Operators   . ${place}/operator.env && npm run -s sluice -- doctor

README.md has a tour with curl. Ctrl-C or npm stop ends it.`);
}

function launcherArguments(): string[] {
  return [...process.execArgv, fileURLToPath(import.meta.url), '--no-tour', ...(options.oidc ? ['--oidc'] : [])];
}

/** Starts the launcher in a session of its own and waits until it is ready. */
async function runDetached(): Promise<void> {
  const state = new StateDirectory(directory);
  if (runningLauncher(state) !== undefined) throw new Error('Sluice is running already; npm stop ends it.');
  const logFile = state.file('log', 'launcher.log');
  const log = openSync(logFile, 'w');
  const launcher = spawn(process.execPath, launcherArguments(), {
    detached: true,
    stdio: ['ignore', log, log],
  });
  const ended = new Promise<never>((_resolve, reject) => {
    launcher.once('exit', () => reject(new Error(`It did not start:\n${readFileSync(logFile, 'utf8')}`)));
  });
  const begun = performance.now();
  await Promise.race([waitFor('Sluice', async () => isReady(state, launcher.pid), 180_000), ended]);
  const access = readAccess(state);
  if (options.tour && !options.json) await showTour(access);
  announce(access, (performance.now() - begun) / 1_000);
  launcher.unref();
}

try {
  await (options.detach ? runDetached() : runInForeground());
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
