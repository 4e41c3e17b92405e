import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { RandomTimes } from '../capacity/random-times.ts';
import { OpenSockets } from './open-sockets.ts';
import { ProcessWatch, type MemoryOf } from './process-watch.ts';
import { activeUsersOf, type Profile } from './profile.ts';
import { ask, findSource, tileBody, type Target } from './questions.ts';
import { playThinkLoad, secondsAt, type Answers, type TileKind } from './think-load.ts';

export interface LoadOptions {
  readonly profile: Profile;
  readonly source: string;
  /** What cached tiles ask, and what others ask, `{n}` in it being another number each time. */
  readonly cachedSql: string;
  readonly freshSql: string;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly seed: number;
  /** Process ids by name, to watch the memory of. */
  readonly processes: Readonly<Record<string, number>>;
}

export interface Percentiles {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface LoadResult {
  readonly activeUsers: number;
  readonly questionsPerSecond: number;
  readonly questions: Percentiles;
  readonly hits: Percentiles;
  readonly runs: Percentiles;
  readonly cachedDashboards: Percentiles;
  /** Of questions and sockets. */
  readonly errorRate: number;
  readonly faults: readonly string[];
  readonly memory: readonly MemoryOf[];
}

/** Plays a profile against an installation. */
export async function runLoad(target: Target, options: LoadOptions): Promise<LoadResult> {
  const { profile, warmUpSeconds, seconds, seed } = options;
  const activeUsers = activeUsersOf(profile);
  const isTls = target.graphqlUrl.startsWith('https:');
  const agent = new (isTls ? TlsAgent : Agent)({ keepAlive: true, maxSockets: Infinity });
  const sockets = new OpenSockets();
  const watch = new ProcessWatch(options.processes);
  try {
    const bodies = bodiesOf(await findSource(target, options.source), options);
    // From here on it is kept.
    const first = await ask(target, agent, bodies.hit(), true);
    if ('fault' in first) throw new Error(`the first question was not answered: ${first.fault}`);
    await sockets.open(target, activeUsers);
    setTimeout(() => watch.start(), warmUpSeconds * 1_000).unref();
    const load = { ...profile, users: activeUsers };
    const span = { warmUpSeconds, seconds, random: new RandomTimes(seed) };
    const tile = async (kind: TileKind, user: number): Promise<string | undefined> => {
      const answer = await ask(target, agent, bodies[kind](), kind === 'hit');
      if ('fault' in answer) return answer.fault;
      return kind === 'hit' ? undefined : sockets.hear(user, answer.executionId);
    };
    const answers = await playThinkLoad(load, tile, span);
    return resultOf(answers, { activeUsers, seconds, socketFaults: sockets.faults, memory: watch.stop() });
  } finally {
    watch.stop();
    await sockets.close();
    agent.destroy();
  }
}

function bodiesOf(sourceId: string, { cachedSql, freshSql }: LoadOptions) {
  let number = Date.now();
  const hit = tileBody(sourceId, cachedSql, true);
  return { hit: () => hit, run: () => tileBody(sourceId, freshSql.replaceAll('{n}', String((number += 1))), false) };
}

function resultOf(
  answers: Answers,
  known: { activeUsers: number; seconds: number; socketFaults: readonly string[]; memory: readonly MemoryOf[] },
): LoadResult {
  const faults = [...answers.faults, ...known.socketFaults];
  return {
    activeUsers: known.activeUsers,
    questionsPerSecond: answers.questions / known.seconds,
    questions: percentiles(answers.all),
    hits: percentiles(answers.byKind.hit),
    runs: percentiles(answers.byKind.run),
    cachedDashboards: percentiles(answers.cachedViews),
    errorRate: faults.length / Math.max(1, answers.questions + known.activeUsers),
    faults: [...new Set(faults)].slice(0, 10),
    memory: known.memory,
  };
}

function percentiles(recorded: Parameters<typeof secondsAt>[0]): Percentiles {
  const ms = (percent: number): number => secondsAt(recorded, percent) * 1_000;
  return { count: recorded.count, p50Ms: ms(50), p95Ms: ms(95), p99Ms: ms(99) };
}
