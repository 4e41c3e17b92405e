import { Agent } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { RandomTimes } from '../../deploy/capacity/random-times.ts';
import { post, type Repeated } from './http-load.ts';

/** Users who look at some tiles at once, think when they have seen them all, and look again. */
export interface ThinkLoad {
  readonly users: number;
  readonly thinkSeconds: number;
  readonly questionsPerView: number;
  readonly hitRatio: number;
}

export interface Answered {
  readonly kind: 'hit' | 'run';
  readonly seconds: number;
}

interface Questions {
  readonly hit: Repeated;
  /** Each another one, so that none is answered by one before. */
  readonly run: () => Repeated;
}

/** All that was answered in `seconds`, after as much of the load as it takes to run in. */
export async function playThinkLoad(
  load: ThinkLoad,
  questions: Questions,
  { warmUpSeconds, seconds, random }: { warmUpSeconds: number; seconds: number; random: RandomTimes },
): Promise<Answered[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const begun = performance.now();
  const [from, until] = [begun + warmUpSeconds * 1_000, begun + (warmUpSeconds + seconds) * 1_000];
  const answered: Answered[] = [];
  const ask = async (): Promise<void> => {
    const kind = random.share() < load.hitRatio ? 'hit' : 'run';
    const asked = performance.now();
    await post(kind === 'hit' ? questions.hit : questions.run(), agent);
    const now = performance.now();
    if (now >= from && now < until) answered.push({ kind, seconds: (now - asked) / 1_000 });
  };
  const user = async (): Promise<void> => {
    for (;;) {
      await wait(random.exponential(load.thinkSeconds) * 1_000);
      if (performance.now() >= until) return;
      await Promise.all(Array.from({ length: load.questionsPerView }, ask));
    }
  };
  try {
    await Promise.all(Array.from({ length: load.users }, user));
  } finally {
    agent.destroy();
  }
  return answered;
}
