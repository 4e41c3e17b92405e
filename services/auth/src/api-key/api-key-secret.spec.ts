import { describe, expect, it } from 'vitest';
import { matchesHash, newSecret } from './api-key-secret.js';

const rounds = 4_000;

describe('API key timing', () => {
  it('tells nothing of how much of a guess is right: the first wrong letter costs as much as the last', () => {
    const { secret, hash } = newSecret();
    const guesses = [0, secret.length - 1].map(
      (at) => `${secret.slice(0, at)}${secret[at] === 'a' ? 'b' : 'a'}${secret.slice(at + 1)}`,
    );
    const times = guesses.map((): number[] => []);
    // By turns, so that what else the machine does falls on both.
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, guess] of guesses.entries()) {
        const begun = performance.now();
        expect(matchesHash(guess, hash)).toBe(false);
        times[index]?.push(performance.now() - begun);
      }
    }
    const [first = 0, last = 0] = times.map((all) => all.toSorted((a, b) => a - b)[rounds / 2] ?? 0);
    expect(Math.abs(first - last)).toBeLessThan(Math.max(first, last) * 0.5);
    expect(matchesHash(secret, hash)).toBe(true);
  });
});
