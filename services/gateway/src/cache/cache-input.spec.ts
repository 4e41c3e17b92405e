import { expect, it } from 'vitest';
import { toCacheWish } from './cache-input.js';

it.each([
  ['LIVE', 300],
  ['OPERATIONAL', 900],
  ['HOURLY', 3_600],
  ['EXPLORING', 21_600],
  ['DAILY', 86_400],
] as const)('the profile %s is an age of %i seconds', (profile, maxAgeSeconds) => {
  expect(toCacheWish({ profile })).toEqual({ maxAgeSeconds, staleWhileRevalidateSeconds: undefined });
});

it('an age of 0 is one, and none is the configured', () => {
  expect(toCacheWish({ maxAgeSeconds: 0 })).toMatchObject({ maxAgeSeconds: 0 });
  expect(toCacheWish({ profile: null, staleWhileRevalidateSeconds: 5 })).toEqual({
    maxAgeSeconds: undefined,
    staleWhileRevalidateSeconds: 5,
  });
});

it('an age and a profile are refused at the profile', () => {
  expect(() => toCacheWish({ maxAgeSeconds: 0, profile: 'LIVE' })).toThrow(
    expect.objectContaining({ code: 'input.invalid', path: ['cache', 'profile'] }),
  );
});
