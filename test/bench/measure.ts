import { spreadOf, type Spread } from './statistics.ts';

/** One round: the same work by us and by the control, one right after the other on the same machine. */
export interface Round {
  ours: number;
  control: number;
}

export interface Target {
  /** Which of the two numbers that compare ours with the control, or ours itself, is bound. */
  of: 'ratio' | 'difference' | 'ours';
  atLeast?: number;
  atMost?: number;
  /** What is promised of each round and not of the one in the middle. */
  in?: 'every round';
}

/** A line of the table. */
export interface Measure {
  name: string;
  unit: string;
  /** What the control is. */
  control: string;
  rounds: readonly Round[];
  target?: Target;
}

export interface Summary {
  ours: Spread;
  control: Spread;
  ratio: Spread;
  difference: Spread;
  /** Undefined where there is no target. */
  isMet: boolean | undefined;
}

/** Ratio and difference are taken within each round, so that a slow moment of the machine falls on both sides. */
export function summarize({ rounds, target }: Measure): Summary {
  const summary = {
    ours: spreadOf(rounds.map(({ ours }) => ours)),
    control: spreadOf(rounds.map(({ control }) => control)),
    ratio: spreadOf(rounds.map(({ ours, control }) => ours / control)),
    difference: spreadOf(rounds.map(({ ours, control }) => ours - control)),
  };
  return { ...summary, isMet: target && isMet(target, summary[target.of]) };
}

export function describeTarget(target: Target): string {
  const { of, atLeast, atMost } = target;
  const bounds = [atLeast === undefined ? [] : [`>= ${atLeast}`], atMost === undefined ? [] : [`<= ${atMost}`]].flat();
  return [of, bounds.join(', '), target.in === undefined ? [] : [`in ${target.in}`]].flat().join(' ');
}

function isMet(target: Target, { median, min, max }: Spread): boolean {
  return target.in === 'every round' ? isWithin(target, min) && isWithin(target, max) : isWithin(target, median);
}

function isWithin({ atLeast = -Infinity, atMost = Infinity }: Target, value: number): boolean {
  return value >= atLeast && value <= atMost;
}
