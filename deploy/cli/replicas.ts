import { InvalidArgumentError } from 'commander';
import { processNames, type ProcessName } from '../capacity/costs.ts';
import { wholeNumber } from './whole-number.ts';

export type Replicas = Readonly<Partial<Record<ProcessName, number>>>;

/** Reads one `<process>=<number>` of an option that is given again for each process. */
export function replicas(text: string, before: Replicas): Replicas {
  const [asked, count = ''] = text.split('=', 2);
  const name = processNames.find((known) => known === asked);
  if (name === undefined) throw new InvalidArgumentError(`A process is one of ${processNames.join(', ')}.`);
  if (!text.includes('=')) throw new InvalidArgumentError('It is <process>=<number>, such as gateway=3.');
  return { ...before, [name]: wholeNumber(count) };
}
