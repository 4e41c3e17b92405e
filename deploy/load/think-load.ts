import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { RandomTimes } from '../capacity/random-times.ts';

export type TileKind = 'hit' | 'run';

/** Users who look at some tiles at once, think when they have seen them all, and look again. */
export interface ThinkLoad {
  readonly users: number;
  readonly thinkSeconds: number;
  readonly questionsPerView: number;
  readonly hitRatio: number;
}

interface Span {
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly random: RandomTimes;
}

/** In microseconds. */
const histogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: 3_600e6, figures: 3 });

/** What was answered, apart from what came while the load ran in. */
export class Answers {
  readonly all = histogram();
  readonly byKind = { hit: histogram(), run: histogram() };
  /** Views whose tiles were all cached, to the last of them. */
  readonly cachedViews = histogram();
  readonly faults: string[] = [];
  questions = 0;

  take(kind: TileKind, seconds: number, fault: string | undefined): void {
    this.questions += 1;
    if (fault !== undefined) {
      this.faults.push(fault);
      return;
    }
    this.all.record(microseconds(seconds));
    this.byKind[kind].record(microseconds(seconds));
  }

  takeCachedView(seconds: number): void {
    this.cachedViews.record(microseconds(seconds));
  }
}

const microseconds = (seconds: number): number => Math.max(1, Math.round(seconds * 1e6));

/** The value that so many percent lie at or below, in seconds; 0 where nothing was recorded. */
export function secondsAt(recorded: RecordableHistogram, percent: number): number {
  return recorded.count === 0 ? 0 : recorded.percentile(percent) / 1e6;
}

/** `ask` tells what went wrong, if anything did. */
export async function playThinkLoad(
  load: ThinkLoad,
  ask: (kind: TileKind, user: number) => Promise<string | undefined>,
  { warmUpSeconds, seconds, random }: Span,
): Promise<Answers> {
  const answers = new Answers();
  const begun = performance.now();
  const [from, until] = [begun + warmUpSeconds * 1_000, begun + (warmUpSeconds + seconds) * 1_000];
  const isCounted = (): boolean => performance.now() >= from && performance.now() < until;
  const tile = async (kind: TileKind, index: number): Promise<void> => {
    const asked = performance.now();
    const fault = await ask(kind, index);
    if (isCounted()) answers.take(kind, (performance.now() - asked) / 1_000, fault);
  };
  const view = async (index: number): Promise<void> => {
    const kinds = Array.from({ length: load.questionsPerView }, () => (random.share() < load.hitRatio ? 'hit' : 'run'));
    const looked = performance.now();
    await Promise.all(kinds.map((kind) => tile(kind, index)));
    const isCached = kinds.every((kind) => kind === 'hit');
    if (isCached && isCounted()) answers.takeCachedView((performance.now() - looked) / 1_000);
  };
  const user = async (index: number): Promise<void> => {
    for (;;) {
      const thinkMs = random.exponential(load.thinkSeconds) * 1_000;
      if (performance.now() + thinkMs >= until) return wait(Math.max(0, until - performance.now()));
      await wait(thinkMs);
      await view(index);
    }
  };
  await Promise.all(Array.from({ length: load.users }, (_, index) => user(index)));
  return answers;
}
