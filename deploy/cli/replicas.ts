import { InvalidArgumentError } from 'commander';
import type { ProcessName } from '../capacity/costs.ts';
import { byProcessor } from '../capacity/limits.ts';
import { wholeNumber } from './whole-number.ts';

export type Replicas = Readonly<Partial<Record<ProcessName, number>>>;

/** Reads one `<process>=<number>` of an option that is given again for each process of which a forecast asks. */
export function replicas(text: string, before: Replicas): Replicas {
  const [asked, count = ''] = text.split('=', 2);
  const name = byProcessor.find((known) => known === asked);
  if (name === undefined) throw new InvalidArgumentError(`A process is one of ${byProcessor.join(', ')}.`);
  if (!text.includes('=')) throw new InvalidArgumentError('It is <process>=<number>, such as gateway=3.');
  return { ...before, [name]: wholeNumber(count) };
}
