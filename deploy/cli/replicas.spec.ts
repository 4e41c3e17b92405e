import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { replicas } from './replicas.ts';

describe('--replicas', () => {
  it('takes one process after another', () => {
    expect(replicas('redis-broker=1', replicas('gateway=3', {}))).toEqual({ gateway: 3, 'redis-broker': 1 });
  });

  it.each([
    ['foo=1', 'A process is one of gateway, orchestrator, postgres, redis-broker.'],
    // A forecast does not ask how many of these there are.
    ['worker=1', 'A process is one of gateway'],
    ['toString=1', 'A process is one of gateway'],
    ['gateway', 'It is <process>=<number>, such as gateway=3.'],
    ['gateway=many', 'It is a whole number from 1.'],
    ['gateway=0', 'It is a whole number from 1.'],
  ])('says what is wrong with %s', (text, message) => {
    const read = (): unknown => replicas(text, {});
    expect(read).toThrow(InvalidArgumentError);
    expect(read).toThrow(message);
  });
});
