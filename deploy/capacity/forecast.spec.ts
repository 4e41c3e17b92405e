import { describe, expect, it } from 'vitest';
import { forecast } from './forecast.ts';

const today = new Date('2026-03-01T00:00:00Z');
/** Users that double in six months, as the article has it, with weekends at a third. */
const doubling = (days: number): number[] => Array.from({ length: days }, (_, day) => 100 * 2 ** (day / 182));

describe('forecast', () => {
  it('names the day on which a limit is met at the growth of the days before', () => {
    const { daysLeft, day, explained } = forecast({ name: 'slots', used: doubling(91), limit: 200 }, today);
    expect([daysLeft, day]).toEqual([91, '2026-05-31']);
    expect(explained).toBeCloseTo(1, 6);
  });

  it('sees the growth through weekends, and says how little of the differences it explains', () => {
    const used = doubling(91).map((value, day) => (day % 7 > 4 ? value / 3 : value));
    const { growthPerDay, explained } = forecast({ name: 'slots', used, limit: 1e9 }, today);
    expect(growthPerDay).toBeGreaterThan(0.002);
    expect(growthPerDay).toBeLessThan(0.006);
    expect(explained).toBeLessThan(0.5);
  });

  it('says that a limit which is passed is passed today', () => {
    expect(forecast({ name: 'slots', used: doubling(30), limit: 50 }, today)).toMatchObject({
      daysLeft: 0,
      day: '2026-03-01',
    });
  });

  it.each([
    ['does not grow', [5, 5, 5, 5]],
    ['shrinks', [8, 7, 6, 5]],
    ['was hardly used', [0, 0, 3]],
    ['was never used', []],
  ])('names no day for what %s', (_, used) => {
    expect(forecast({ name: 'slots', used, limit: 100 }, today)).toMatchObject({ daysLeft: undefined, day: undefined });
  });
});
