import type { Fault } from './examination.js';

/**
 * Compares this machine's clock with another's. The other read its own at some moment between question and answer, so only
 * what the way cannot explain counts.
 */
export async function checkClock(readMs: () => Promise<number>, skewMsMax: number): Promise<Fault[]> {
  const before = Date.now();
  const there = await readMs();
  const after = Date.now();
  const ahead = there > after ? there - after : Math.min(0, there - before);
  if (Math.abs(ahead) <= skewMsMax) return [];
  return [
    {
      severity: 'WARNING',
      what: `Its clock is ${Math.round(Math.abs(ahead))} ms ${ahead > 0 ? 'ahead of' : 'behind'} this machine's.`,
      why: 'Tokens are refused as not yet good or as expired, and times in the history contradict each other.',
      mend: 'chronyc makestep; on both machines',
    },
  ];
}
