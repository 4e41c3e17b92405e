import { describe, expect, it } from 'vitest';
import { waitingOf } from './erlang.ts';
import { simulate, type System } from './simulation.ts';

const span = { warmUpSeconds: 2_000, seconds: 60_000, seed: 1 };

function oneStation(servers: number, variation = 1): System {
  return {
    stations: { slots: servers },
    kinds: [{ name: 'run', share: 1, stops: [{ station: 'slots', seconds: 1, variation }] }],
  };
}

describe('simulate', () => {
  it.each([
    { servers: 1, arrivalsPerSecond: 0.5, variation: 1 },
    { servers: 1, arrivalsPerSecond: 0.8, variation: 1 },
    { servers: 1, arrivalsPerSecond: 0.8, variation: 0 },
    { servers: 1, arrivalsPerSecond: 0.7, variation: 2 },
    { servers: 4, arrivalsPerSecond: 3.2, variation: 1 },
    { servers: 20, arrivalsPerSecond: 17, variation: 1 },
  ])('finds what the formulas say of $servers servers at $arrivalsPerSecond a second', (given) => {
    const { servers, arrivalsPerSecond, variation } = given;
    const expected = waitingOf({ ...given, serviceSeconds: 1 });
    const { stations, questionsPerSecond } = simulate(oneStation(servers, variation), { arrivalsPerSecond }, span);
    expect(Math.abs(questionsPerSecond / arrivalsPerSecond - 1)).toBeLessThan(0.02);
    expect(Math.abs((stations['slots']?.inUse ?? 0) / expected.inUse - 1)).toBeLessThan(0.02);
    expect(Math.abs((stations['slots']?.waitMeanSeconds ?? 0) / expected.meanSeconds - 1)).toBeLessThan(0.1);
  });

  it('finds the tail of the wait too: exponential behind those who do not wait', () => {
    const offered = { arrivalsPerSecond: 3.2, serviceSeconds: 1, servers: 4 };
    const { stations } = simulate(oneStation(4), { arrivalsPerSecond: 3.2 }, span);
    const expected = waitingOf(offered).p95Seconds;
    expect(Math.abs((stations['slots']?.waitP95Seconds ?? 0) / expected - 1)).toBeLessThan(0.1);
  });

  it("keeps Little's law for users who think: users = rate x (think + response)", () => {
    const users = 50;
    const { questionsPerSecond, all } = simulate(oneStation(8), { users, thinkSeconds: 5, questionsPerView: 1 }, span);
    expect(questionsPerSecond * (5 + all.meanSeconds)).toBeCloseTo(users, 0);
  });

  it('agrees with the machine repair formula, M/M/1 with few users', () => {
    // Three users who think 2 s at one server of 1 s: p0 = 1 / sum of 3!/(3-k)! (1/2)^k.
    const idle = 1 / (1 + 3 / 2 + 6 / 4 + 6 / 8);
    const { questionsPerSecond } = simulate(oneStation(1), { users: 3, thinkSeconds: 2, questionsPerView: 1 }, span);
    expect(Math.abs(questionsPerSecond / (1 - idle) - 1)).toBeLessThan(0.02);
  });

  it('plays the same for the same seed and differently for another', () => {
    const load = { users: 20, thinkSeconds: 5, questionsPerView: 3 };
    const play = (seed: number) => simulate(oneStation(4), load, { warmUpSeconds: 10, seconds: 500, seed });
    expect(play(7)).toEqual(play(7));
    expect(play(8)).not.toEqual(play(7));
  });

  it('makes each question wait for the tiles that were asked with it, which formulas leave out', () => {
    const load = { users: 20, thinkSeconds: 20 };
    const at = (questionsPerView: number, thinkSeconds: number) =>
      simulate(oneStation(6), { ...load, thinkSeconds, questionsPerView }, span).all.p95Seconds;
    expect(at(4, 20)).toBeGreaterThan(at(1, 5));
  });

  it('lets nobody wait where servers are without number', () => {
    const system = { ...oneStation(1), stations: { slots: Infinity } };
    const { stations } = simulate(system, { arrivalsPerSecond: 50 }, { ...span, seconds: 200 });
    expect(stations['slots']).toMatchObject({ waitMeanSeconds: 0, waitP95Seconds: 0 });
  });
});
