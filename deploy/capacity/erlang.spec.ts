import { describe, expect, it } from 'vitest';
import { erlangB, erlangC, fewestServers, waitingOf } from './erlang.ts';

describe('Erlang', () => {
  // Published tables of traffic theory: Erlangs, servers, share.
  it.each([
    [1, 1, 0.5],
    [2, 4, 0.0952],
    [10, 15, 0.0365],
    [100, 117, 0.01],
  ])('B agrees with the tables at %d Erlangs on %d servers', (load, servers, share) => {
    expect(erlangB(load, servers)).toBeCloseTo(share, 3);
  });

  it.each([
    [0.5, 1, 0.5],
    [1, 2, 1 / 3],
    [2, 3, 0.4444],
    [10, 12, 0.4494],
  ])('C agrees with the tables at %d Erlangs on %d servers', (load, servers, share) => {
    expect(erlangC(load, servers)).toBeCloseTo(share, 3);
  });

  it('C is what its definition by sums gives', () => {
    const [load, servers] = [40, 45];
    const term = (count: number): number =>
      Array.from({ length: count }, (_, index) => load / (index + 1)).reduce((product, factor) => product * factor, 1);
    const waiting = (term(servers) * servers) / (servers - load);
    const free = Array.from({ length: servers }, (_, count) => term(count)).reduce((sum, each) => sum + each, 0);
    expect(erlangC(load, servers)).toBeCloseTo(waiting / (free + waiting), 10);
  });

  it('stays finite where factorials would not', () => {
    expect(erlangC(5_000, 5_100)).toBeGreaterThan(0);
    expect(erlangC(5_000, 5_100)).toBeLessThan(1);
  });
});

describe('waitingOf', () => {
  it('gives the mean wait of M/M/1, load / (1 - load) service times', () => {
    const { meanSeconds } = waitingOf({ arrivalsPerSecond: 0.8, serviceSeconds: 1, servers: 1 });
    expect(meanSeconds).toBeCloseTo(4, 10);
  });

  it('halves that where every service takes as long, as Pollaczek and Khinchine have it', () => {
    const { meanSeconds } = waitingOf({ arrivalsPerSecond: 0.8, serviceSeconds: 1, servers: 1, variation: 0 });
    expect(meanSeconds).toBeCloseTo(2, 10);
  });

  it('counts slots in use as arrival rate times mean seconds', () => {
    // The article: 100 queries at once of 10 s make 10 workers, by division. At 100 a second it takes 1,000.
    expect(waitingOf({ arrivalsPerSecond: 100, serviceSeconds: 10, servers: 1_100 }).inUse).toBe(1_000);
  });

  it('says that a queue without end is one', () => {
    expect(waitingOf({ arrivalsPerSecond: 2, serviceSeconds: 1, servers: 2 })).toMatchObject({
      meanSeconds: Infinity,
      waitProbability: 1,
    });
  });
});

describe('fewestServers', () => {
  const bounds = { utilizationMax: 0.8, waitP95SecondsMax: 0.5 };

  it('finds the least number that keeps to both bounds', () => {
    const offered = { arrivalsPerSecond: 10, serviceSeconds: 1 };
    const servers = fewestServers(offered, bounds);
    const isWithin = (count: number): boolean => {
      const { utilization, p95Seconds } = waitingOf({ ...offered, servers: count });
      return utilization <= bounds.utilizationMax && p95Seconds <= bounds.waitP95SecondsMax;
    };
    expect([isWithin(servers), isWithin(servers - 1)]).toEqual([true, false]);
  });

  it('wants one where there is nothing to do', () => {
    expect(fewestServers({ arrivalsPerSecond: 0, serviceSeconds: 1 }, bounds)).toBe(1);
  });
});
