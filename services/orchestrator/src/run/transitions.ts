import type { RunState } from '#libs/contracts';

interface Transition {
  readonly from: readonly RunState[];
  readonly to: RunState;
  /** Whether callers see a change. DISPATCHED is told as QUEUED, so neither reaching it nor going back is one. */
  readonly isVisible: boolean;
}

/**
 * The one definition of how a run's state moves. Every write of a state goes through `moveRun`, which takes its `from`
 * and `to` from here, so that what is not in this table cannot happen.
 *
 * A CANCELING run has no way to SUCCEEDED, and a final state has no way out.
 */
export const transitions = {
  dispatch: { from: ['QUEUED'], to: 'DISPATCHED', isVisible: false },
  undispatch: { from: ['DISPATCHED'], to: 'QUEUED', isVisible: false },
  claim: { from: ['DISPATCHED'], to: 'RUNNING', isVisible: true },
  retryRunning: { from: ['RUNNING'], to: 'QUEUED', isVisible: true },
  retryDispatched: { from: ['DISPATCHED'], to: 'QUEUED', isVisible: false },
  release: { from: ['RUNNING'], to: 'QUEUED', isVisible: true },
  stop: { from: ['RUNNING'], to: 'CANCELING', isVisible: true },
  succeed: { from: ['RUNNING'], to: 'SUCCEEDED', isVisible: true },
  fail: { from: ['DISPATCHED', 'RUNNING'], to: 'FAILED', isVisible: true },
  failWaiting: { from: ['QUEUED', 'DISPATCHED'], to: 'FAILED', isVisible: true },
  cancelWaiting: { from: ['QUEUED', 'DISPATCHED'], to: 'CANCELED', isVisible: true },
  expireWaiting: { from: ['QUEUED'], to: 'TIMED_OUT', isVisible: true },
  expire: { from: ['DISPATCHED', 'RUNNING'], to: 'TIMED_OUT', isVisible: true },
  endCanceled: { from: ['CANCELING'], to: 'CANCELED', isVisible: true },
  endTimedOut: { from: ['CANCELING'], to: 'TIMED_OUT', isVisible: true },
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof transitions;

export const finalStates = ['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT'] as const satisfies readonly RunState[];
export type FinalState = (typeof finalStates)[number];

/** A slot of a worker and one of the source's connections are taken. */
export const activeStates = ['DISPATCHED', 'RUNNING', 'CANCELING'] as const satisfies readonly RunState[];

/** An equal question may still join the run, and its last caller may still stop it. The index run_flight has the same states. */
export const joinableStates = ['QUEUED', 'DISPATCHED', 'RUNNING'] as const satisfies readonly RunState[];

type TransitionTo<State extends RunState> = {
  [Name in TransitionName]: (typeof transitions)[Name]['to'] extends State ? Name : never;
}[TransitionName];

/** The transitions that end a run. */
export type FinishName = TransitionTo<FinalState>;

export function isFinal(state: RunState): state is FinalState {
  return finalStates.some((final) => final === state);
}

/** What callers are told of a state. */
export function publicState(state: RunState): RunState {
  return state === 'DISPATCHED' ? 'QUEUED' : state;
}
