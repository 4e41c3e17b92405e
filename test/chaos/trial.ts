import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { delay } from '#libs/kernel';
import { until } from '#libs/testing';
import type { ApiAddress } from '../support/api-client.js';
import { newDataSource } from '../support/data-sources.js';
import { runToEnd } from '../support/executions.js';
import { createUser, newApiKey, newPerson } from '../support/people.js';
import { newRowPolicy } from '../support/row-policies.js';
import type { RunningMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';
import { Changes, savedQueryRegister, userRegister } from './changes.js';
import { FinishedListener } from './finished-listener.js';
import { checkHistory } from './history/check-history.js';
import { HistoryFile, readHistory, type Recorder } from './history/history-file.js';
import { invariants, type Report } from './history/report.js';
import { Load, type Caller } from './load.js';
import { Observer } from './observer.js';
import { prepareSource, regions } from './questions.js';
import { Random } from './random.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface TrialOptions {
  name: string;
  mesh: RunningMesh;
  inFlight?: number;
  seed?: number;
  /** Where clients find gateways; those of the mesh, all the time, where it is not given. */
  gateways?: () => readonly ApiAddress[];
  /** Where the services' database is; it moves when a replica takes over. */
  databaseUrl?: () => string;
  /** Another place to ask than the mesh's own PostgreSQL, which may be the one that is broken. */
  source?: { url: string; options: Record<string, unknown> };
}

/** The verdict that every trial is to have. */
export const noFaults: Report['faults'] = { ends: [], source: [], policies: [], events: [], changes: [] };

/** From when what was broken could be used again, until who was waiting has been answered. */
export const recoveredWithinMs = 10_000;

/** How long a trial waits for what must happen: only a broken one takes so long. */
const patienceMs = 90_000;

/** A mesh under load, everything that happens to it written into a file, and that file's verdict in the end. */
export class Trial {
  readonly load: Load;
  private readonly nemesis: Recorder;

  private constructor(
    private readonly options: TrialOptions,
    readonly history: HistoryFile,
    load: Load,
    private readonly callers: readonly Caller[],
    private readonly observer: Observer,
    private readonly listeners: readonly FinishedListener[],
    private readonly changes: readonly Changes[],
  ) {
    this.load = load;
    this.nemesis = history.recorderOf('nemesis');
  }

  /** Makes callers, sources and a policy, and begins to ask. */
  static async begin(options: TrialOptions): Promise<Trial> {
    const { mesh, name } = options;
    const random = new Random(options.seed ?? Number(process.env['SLUICE_CHAOS_SEED'] ?? Date.now() % 1e9));
    note(`${name}: seed ${random.seed}`);
    const gateways = options.gateways ?? (() => mesh.access.gateways);
    const sources = await makeSources(options);
    const callers = await makeCallers(mesh);
    const history = new HistoryFile(join(root, '.sluice', 'chaos', `${name.replaceAll(/\W+/g, '-')}.jsonl`));
    const listeners = callers.map((caller) => new FinishedListener(caller, gateways, history));
    for (const listener of listeners) listener.start();
    await untilHeard(callers, listeners, sources.open);
    const observer = new Observer({
      history,
      databaseUrl: options.databaseUrl ?? (() => mesh.access.sluiceDatabaseUrl),
      sourceUrl: options.source?.url ?? mesh.access.flightsDatabaseUrl,
      reader: mesh.access.reader.user,
    });
    const { user } = await createUser(mesh.admin, {
      email: `counted-${random.seed}@example.com`,
      name: 'Counted',
      roleNames: ['viewer'],
    });
    if (!user) throw new Error('no user was made');
    const registers = [await savedQueryRegister(mesh.admin, sources.open), userRegister(user.id)];
    const changes = registers.map((register) => new Changes(register, mesh.admin, gateways, history));
    const keyPrefix = `${name.replaceAll(/\W+/g, '-')}-${random.seed}-`;
    const inFlight = options.inFlight ?? inFlightOf();
    const load = new Load({ callers, gateways, sources, inFlight, random, history, keyPrefix });
    const trial = new Trial(options, history, load, callers, observer, listeners, changes);
    observer.start();
    for (const change of changes) change.start();
    load.start();
    return trial;
  }

  /**
   * Breaks something under full load and waits until the load flows again.
   * @param inject does the harm and mends it; it may resolve with the time at which what was broken could be used again
   */
  async outage(name: string, inject: () => Promise<number | void>): Promise<void> {
    const { load } = this;
    await until(() => load.rounds.every(Boolean), { timeoutMs: patienceMs, what: 'the load' });
    const fromMs = Date.now();
    const finishedBefore = load.finishedCount;
    this.nemesis({ f: 'outage', type: 'invoke', name });
    const mendedMs = (await inject()) ?? Date.now();
    this.nemesis({ f: 'outage', type: 'ok', name, fromMs, mendedMs });
    const toMs = Date.now();
    const more = Math.max(20, Math.round(load.size / 4));
    await until(() => load.finishedCount >= finishedBefore + more, {
      timeoutMs: patienceMs,
      what: `${more} more answers behind: ${name}`,
    });
    note(`${name}: mended after ${mendedMs - fromMs} ms, ${more} more answers ${Date.now() - toMs} ms later`);
  }

  /** Waits until everybody has been told an end: what the next outage holds up would else count for the last one. */
  async everybodyAnswered(): Promise<void> {
    const { rounds } = this.load;
    const before = [...rounds];
    const isAnswered = (): boolean => rounds.every((count, index) => count > (before[index] ?? 0));
    await until(isAnswered, { timeoutMs: patienceMs, what: 'an answer to everybody' });
  }

  /** Lets everything come to its end, and has the history checked. */
  async end(): Promise<Report> {
    await this.load.drain(patienceMs);
    for (const change of this.changes) await change.stop();
    await this.observer.finish(20_000);
    await Promise.all(
      this.listeners.map((listener, index) =>
        listener.stop(this.load.acceptedOf(this.callers[index]?.name ?? ''), 15_000),
      ),
    );
    this.history.close();
    const report = await checkHistory(readHistory(this.history.path));
    print(this.options.name, report, this.history.path);
    return report;
  }
}

const note = (line: string): void => void process.stdout.write(`  ${line}\n`);

/** 200 in the long run; what a machine of two cores bears beside other tests otherwise. */
function inFlightOf(): number {
  const usual = process.env['SLUICE_CHAOS_LONG'] === '1' ? 200 : 60;
  return Number(process.env['SLUICE_CHAOS_IN_FLIGHT'] ?? usual);
}

async function makeSources({ mesh, source }: TrialOptions): Promise<{ open: string; governed: string }> {
  const { reader } = mesh.access;
  await prepareSource(source?.url ?? mesh.access.flightsDatabaseUrl, reader.user);
  const options = source?.options ?? { ...reader, ssl: { mode: 'disable' } };
  const [open, governed] = await Promise.all([
    newDataSource(mesh.admin, 'postgres', options, { maxConcurrentExecutions: 32 }),
    newDataSource(mesh.admin, 'postgres', options, { maxConcurrentExecutions: 8 }),
  ]);
  await newRowPolicy(mesh.admin, governed.id, 'region = {{ user.region }}', { table: { name: 'sales' } });
  return { open: open.id, governed: governed.id };
}

function makeCallers(mesh: RunningMesh): Promise<Caller[]> {
  return Promise.all(
    regions.map(async (region) => {
      const { client, user } = await newPerson(mesh.admin, 'analyst', { attributes: { region } });
      return { name: user.id, client: (await newApiKey(client)).client, region };
    }),
  );
}

/** A subscription to what finishes has begun when something that finishes is told. */
async function untilHeard(
  callers: readonly Caller[],
  listeners: readonly FinishedListener[],
  id: string,
): Promise<void> {
  await Promise.all(
    callers.map(({ client }, index) =>
      until(
        async () => {
          await runToEnd(client, id, unique('select 1'));
          await delay(200);
          return (listeners[index]?.told.size ?? 0) > 0;
        },
        { what: 'the first end to be told', timeoutMs: 30_000 },
      ),
    ),
  );
}

function print(name: string, { faults, errors, ...rest }: Report, path: string): void {
  const broken = Object.fromEntries(invariants.map((invariant) => [invariant, faults[invariant].length]));
  const text = JSON.stringify({ ...rest, faults: broken, errors: errors.length }, null, 2);
  note(`${name}: ${path}\n  ${text.replaceAll('\n', '\n  ')}`);
  for (const invariant of invariants)
    for (const fault of faults[invariant].slice(0, 15)) note(`${invariant}: ${fault}`);
  for (const error of errors.slice(0, 15)) note(`error: ${error}`);
}
