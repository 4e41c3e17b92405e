import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunState } from '#libs/contracts';
import { activeStates, finalStates, isFinal, publicState, transitions, type TransitionName } from './transitions.js';

const names = Object.keys(transitions) as TransitionName[];
const states: readonly RunState[] = ['QUEUED', ...activeStates, ...finalStates];

interface Model {
  state: RunState;
  version: number;
}

function apply({ state, version }: Model, name: TransitionName): Model | undefined {
  const { from, to, isVisible } = transitions[name];
  const allowed: readonly RunState[] = from;
  return allowed.includes(state) ? { state: to, version: version + (isVisible ? 1 : 0) } : undefined;
}

describe('the transitions of a run', () => {
  it('lead nowhere from a final state', () => {
    for (const name of names) expect(transitions[name].from.some(isFinal)).toBe(false);
  });

  it('never lead from CANCELING to SUCCEEDED', () => {
    const targets = names.filter((name) => (transitions[name].from as readonly RunState[]).includes('CANCELING'));
    expect(targets.map((name) => transitions[name].to).sort()).toEqual(['CANCELED', 'TIMED_OUT']);
  });

  it('raise the version exactly where callers see a difference', () => {
    for (const name of names) {
      const { from, to, isVisible } = transitions[name];
      const seen = from.map((state) => publicState(state) !== publicState(to));
      expect(new Set(seen), name).toEqual(new Set([isVisible]));
    }
  });

  it('reach every state from QUEUED, and a final one from each', () => {
    const reach = (start: RunState): Set<RunState> => {
      const seen = new Set<RunState>([start]);
      for (const state of seen) {
        for (const name of names) {
          if ((transitions[name].from as readonly RunState[]).includes(state)) seen.add(transitions[name].to);
        }
      }
      return seen;
    };
    expect([...reach('QUEUED')].sort()).toEqual([...states].sort());
    for (const state of states) expect([...reach(state)].some(isFinal)).toBe(true);
  });

  it('give one final state at most and versions that never fall, whatever the order of attempts', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...names), { maxLength: 60 }), (schedule) => {
        let model: Model = { state: 'QUEUED', version: 1 };
        let finals = 0;
        for (const name of schedule) {
          const next = apply(model, name);
          if (!next) continue;
          expect(next.version).toBeGreaterThanOrEqual(model.version);
          if (isFinal(next.state)) finals += 1;
          model = next;
        }
        expect(finals).toBe(isFinal(model.state) ? 1 : 0);
      }),
    );
  });
});
