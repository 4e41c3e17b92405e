import { describe, expect, it } from 'vitest';
import { FakeClock } from '#libs/testing';
import { ReaperHealth } from './reaper-health.js';

function watch(): { clock: FakeClock; health: ReaperHealth; tickFor: (ms: number, isReachable?: boolean) => void } {
  const clock = new FakeClock();
  const health = new ReaperHealth(clock, 3_000);
  const tickFor = (ms: number, isReachable = true): void => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      clock.advance(1_000);
      health.tick(isReachable);
    }
  };
  return { clock, health, tickFor };
}

describe('a reaper’s health', () => {
  it('is not trusted before a whole lease has passed since the start', () => {
    const { health, tickFor } = watch();
    expect(health.hasBeenHealthyFor(30_000)).toBe(false);
    tickFor(30_000);
    expect(health.hasBeenHealthyFor(30_000)).toBe(false);
    tickFor(1_000);
    expect(health.hasBeenHealthyFor(30_000)).toBe(true);
  });

  it('begins anew after the database or the bus was away', () => {
    const { health, tickFor } = watch();
    tickFor(40_000);
    tickFor(1_000, false);
    expect(health.hasBeenHealthyFor(0)).toBe(false);
    tickFor(29_000);
    expect(health.hasBeenHealthyFor(30_000)).toBe(false);
    tickFor(2_000);
    expect(health.hasBeenHealthyFor(30_000)).toBe(true);
  });

  it('begins anew after the process itself was stopped', () => {
    const { clock, health, tickFor } = watch();
    tickFor(40_000);
    clock.advance(60_000);
    health.tick(true);
    expect(health.hasBeenHealthyFor(30_000)).toBe(false);
  });
});
