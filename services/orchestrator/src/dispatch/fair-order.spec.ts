import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseTurns, shareOf, type ActiveRuns, type FairRules, type Lane, type PoolState } from './fair-order.js';

const rules: FairRules = {
  workspaceSharePercent: 60,
  scheduledSharePercent: 50,
  workspaceRunsMax: 1_000,
  promoteSeconds: 60,
};

const lane = (part: Partial<Lane> = {}): Lane => ({
  workspaceId: 'w1',
  userId: 'u1',
  sourceId: 's1',
  class: 1,
  queued: 100,
  waitedSeconds: 1,
  sourceRunsMax: 100,
  ...part,
});
const active = (part: Partial<ActiveRuns> = {}): ActiveRuns => ({
  workspaceId: 'w1',
  userId: 'u1',
  sourceId: 's1',
  class: 1,
  count: 1,
  ...part,
});
const pool = (part: Partial<PoolState>): PoolState => ({ slots: 10, active: [], lanes: [], present: [], ...part });
const first = (state: PoolState) => chooseTurns(state, rules, 1)[0];

describe('the next turn', () => {
  it('goes to the workspace that holds less, whatever its class and wait', () => {
    const other = lane({ workspaceId: 'w2', class: 3, waitedSeconds: 0 });
    const state = pool({ active: [active({ userId: 'u9' })], lanes: [lane({ waitedSeconds: 50 }), other] });
    expect(first(state)).toBe(other);
  });

  it('goes to the user who holds less, whatever its class', () => {
    const other = lane({ userId: 'u2', class: 2 });
    expect(first(pool({ active: [active()], lanes: [lane(), other] }))).toBe(other);
  });

  it('goes to the more urgent class, then to who has waited longest', () => {
    const lanes = [
      lane({ class: 2, waitedSeconds: 30 }),
      lane({ userId: 'u2' }),
      lane({ userId: 'u3', waitedSeconds: 2 }),
    ];
    expect(chooseTurns(pool({ lanes }), rules, 3).map(({ userId, class: of }) => [userId, of])).toEqual([
      ['u3', 1],
      ['u2', 1],
      ['u1', 2],
    ]);
  });

  it('counts a lane as one class more urgent for each time that it has waited', () => {
    const scheduled = lane({ class: 3, waitedSeconds: 121 });
    expect(first(pool({ lanes: [lane({ userId: 'u2' }), scheduled] }))).toBe(scheduled);
    const dashboard = lane({ userId: 'u3', class: 3, waitedSeconds: 61 });
    expect(first(pool({ lanes: [lane({ userId: 'u2' }), dashboard] }))?.userId).toBe('u2');
  });

  it('takes a lane that was just served as the last of its kind', () => {
    const lanes = [lane({ waitedSeconds: 500 }), lane({ workspaceId: 'w2', waitedSeconds: 1 })];
    const turns = chooseTurns(pool({ lanes }), rules, 4).map(({ workspaceId }) => workspaceId);
    expect(turns).toEqual(['w1', 'w2', 'w1', 'w2']);
  });
});

describe('turns', () => {
  it('never go beyond a limit, and never leave a slot empty that a lane may take', () => {
    const names = (prefix: string) => fc.constantFrom(...[1, 2, 3].map((n) => `${prefix}${n}`));
    const holder = { userId: names('u'), class: fc.constantFrom(1 as const, 2 as const, 3 as const) };
    // A source belongs to one workspace.
    const place = fc
      .tuple(names('w'), names('s'))
      .map(([workspaceId, sourceId]) => ({ workspaceId, sourceId: `${workspaceId}${sourceId}` }));
    const state = fc.record({
      slots: fc.integer({ min: 0, max: 20 }),
      present: fc.uniqueArray(names('w'), { maxLength: 2 }),
      active: fc.array(
        fc
          .tuple(place, fc.record({ ...holder, count: fc.integer({ min: 1, max: 4 }) }))
          .map(([a, b]) => ({ ...a, ...b })),
        { maxLength: 4 },
      ),
      lanes: fc.uniqueArray(
        fc
          .tuple(place, fc.record({ ...holder, queued: fc.integer({ min: 1, max: 30 }), waitedSeconds: fc.nat(300) }))
          .map(([a, b]) => ({ ...a, ...b, sourceRunsMax: 5 })),
        { maxLength: 8, selector: (each) => [each.workspaceId, each.sourceId, each.userId, each.class].join() },
      ),
    });
    fc.assert(
      fc.property(state, (given) => {
        const turns = chooseTurns(given, rules, 32);
        const held = (test: (each: Omit<ActiveRuns, 'count'>) => boolean): number =>
          given.active.filter(test).reduce((sum, { count }) => sum + count, 0) + turns.filter(test).length;
        expect(turns.length === 0 || held(() => true) <= given.slots).toBe(true);
        const all = new Set([...given.present, ...[...given.active, ...given.lanes].map((each) => each.workspaceId)]);
        const isOpen = (each: Lane, more: number): boolean =>
          held(({ sourceId }) => sourceId === each.sourceId) + more <= each.sourceRunsMax &&
          (all.size === 1 ||
            held(({ workspaceId }) => workspaceId === each.workspaceId) + more <= shareOf(given.slots, 60)) &&
          (each.class < 3 || held((other) => other.class === 3) + more <= shareOf(given.slots, 50));
        for (const each of new Set(turns)) expect(isOpen(each, 0)).toBe(true);
        const isShort = held(() => true) < given.slots && turns.length < 32;
        const isLeft = (each: Lane): boolean => turns.filter((turn) => turn === each).length < each.queued;
        expect(given.lanes.filter((each) => isShort && isLeft(each) && isOpen(each, 1))).toEqual([]);
      }),
    );
  });
});
