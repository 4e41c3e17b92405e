import { describe, expect, it } from 'vitest';
import { disagreementOf, simulatePlan } from './check-plan.ts';
import { readCosts } from './costs.ts';
import { ratesOf, type Demand } from './demand.ts';
import { usersOfOneMachine } from './knee.ts';
import { planFor } from './plan.ts';
import type { PlanSettings } from './planned-service.ts';

const costs = readCosts();
const article: Demand = {
  ...{ users: 10_000, activeShare: 0.05, thinkSeconds: 30, questionsPerView: 6, hitRatio: 0.8 },
  ...{ querySeconds: 5, queryVariation: 1, resultBytes: 50_000, busyHours: 8 },
};
const settings: PlanSettings = {
  ...{ utilizationMax: 0.7, waitP95SecondsMax: 0.05, slotsPerWorker: 4, socketsPerGateway: 20_000 },
  ...{ poolMax: 10, coresPerMachine: 8, memoryGbPerMachine: 32 },
};
const replicasOf = (plan: ReturnType<typeof planFor>, name: string): number =>
  plan.services.find((each) => each.name === name)?.replicas ?? 0;

describe('planFor', () => {
  it('holds as many slots as runs a second times the seconds of each, and no quotient', () => {
    const { slots, rates } = planFor(article, costs, settings);
    expect(slots.inUse).toBeCloseTo(rates.runsPerSecond * (article.querySeconds + costs.slotOverheadSeconds), 6);
    expect(slots.planned).toBeGreaterThan(slots.inUse / settings.utilizationMax);
  });

  it.each([10_000, 100_000])('agrees with the simulation for %d users, within a tenth', (users) => {
    const plan = planFor({ ...article, users }, costs, settings);
    const { slots, rate } = disagreementOf(plan, simulatePlan(plan, costs, 1));
    expect(Math.abs(slots)).toBeLessThan(0.1);
    expect(Math.abs(rate)).toBeLessThan(0.1);
  });

  it('lets one of each service be lost', () => {
    const plan = planFor(article, costs, settings);
    for (const name of ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results']) {
      expect(replicasOf(plan, name)).toBeGreaterThanOrEqual(2);
    }
  });

  it('wants fewer of everything where more is answered from the cache', () => {
    const [less, more] = [0.5, 0.95].map((hitRatio) => planFor({ ...article, hitRatio }, costs, settings));
    expect(more?.slots.planned).toBeLessThan(less?.slots.planned ?? 0);
    expect(more?.sizes.resultsGbPerDay).toBeLessThan(less?.sizes.resultsGbPerDay ?? 0);
  });

  it('counts gateways by their sockets where these are more than their processors', () => {
    const idle = { ...article, users: 1_000_000, thinkSeconds: 3_600 };
    expect(replicasOf(planFor(idle, costs, settings), 'gateway')).toBe(1 + Math.ceil(50_000 / (20_000 * 0.7)));
  });

  it('says where a Redis of one thread does not suffice', () => {
    expect(planFor(article, costs, settings).warnings).toEqual([]);
    expect(planFor({ ...article, users: 10_000_000 }, costs, settings).warnings.join()).toContain('redis-broker');
  });

  it('leaves room for the copy that a fork makes of a Redis that is saved', () => {
    for (const { role, maxmemoryMb, machineMb, usedMb } of planFor(article, costs, settings).sizes.redis) {
      expect(usedMb).toBeLessThanOrEqual(maxmemoryMb * 0.8);
      expect(machineMb).toBeGreaterThan(role === 'cache' ? maxmemoryMb : 2 * maxmemoryMb);
    }
  });
});

describe('ratesOf', () => {
  it('counts that users wait for what runs before they ask again', () => {
    const [fast, slow] = [0.1, 60].map((querySeconds) => ratesOf({ ...article, querySeconds }).questionsPerSecond);
    expect(slow).toBeLessThan((fast ?? 0) / 2);
  });
});

describe('usersOfOneMachine', () => {
  it('keeps the processors of a machine within the bound', () => {
    const users = usersOfOneMachine(article, costs, { cores: 2, utilizationMax: 0.7 });
    const { services } = planFor({ ...article, users }, costs, settings);
    expect(services.reduce((sum, { inUse }) => sum + inUse, 0)).toBeLessThanOrEqual(1.4);
  });
});
