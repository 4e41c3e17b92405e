import { describe, expect, it } from 'vitest';
import { summarize, type Measure } from './measure.js';

const measure: Measure = {
  name: 'requests',
  unit: '1/s',
  control: 'bare',
  rounds: [
    { ours: 50, control: 100 },
    { ours: 8, control: 10 },
    { ours: 70, control: 100 },
  ],
};

describe('a measure', () => {
  it('compares within each round, so that one slow moment changes both sides', () => {
    expect(summarize(measure).ratio).toEqual({ median: 0.7, min: 0.5, max: 0.8 });
    expect(summarize(measure).difference).toEqual({ median: -30, min: -50, max: -2 });
  });

  it('meets its target by the median', () => {
    expect(summarize({ ...measure, target: { of: 'ratio', atLeast: 0.6 } }).isMet).toBe(true);
    expect(summarize({ ...measure, target: { of: 'ours', atMost: 49 } }).isMet).toBe(false);
    expect(summarize(measure).isMet).toBeUndefined();
  });

  it('keeps what is promised of every round only where the worst of them does', () => {
    expect(summarize({ ...measure, target: { of: 'ratio', atLeast: 0.5, in: 'every round' } }).isMet).toBe(true);
    expect(summarize({ ...measure, target: { of: 'ratio', atLeast: 0.6, in: 'every round' } }).isMet).toBe(false);
    expect(summarize({ ...measure, target: { of: 'ratio', atMost: 0.7, in: 'every round' } }).isMet).toBe(false);
  });
});
