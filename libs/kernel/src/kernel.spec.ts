import { describe, expect, it } from 'vitest';
import { AppError, backoffMs, idKindOf, isId, newId, siblingId, toAppError } from './index.js';

describe('ids', () => {
  it('carry their kind and sort by the time they were made', () => {
    const early = newId('run', 1_000);
    const late = newId('run', 2_000);
    expect(isId('run', early)).toBe(true);
    expect(isId('execution', early)).toBe(false);
    expect(idKindOf(late)).toBe('run');
    expect(early < late).toBe(true);
  });

  it('never repeat within one millisecond', () => {
    const ids = new Set(Array.from({ length: 10_000 }, () => newId('execution', 5)));
    expect(ids.size).toBe(10_000);
  });

  it('of a sibling differ by the prefix alone', () => {
    const execution = newId('execution');
    expect(siblingId('execution', siblingId('result', execution))).toBe(execution);
  });

  it('refuse what only looks like an id', () => {
    expect(isId('run', 'run_')).toBe(false);
    expect(idKindOf("run_'; drop table run --")).toBeUndefined();
  });
});

describe('AppError', () => {
  it('keeps public and internal text apart', () => {
    const error = new AppError('internal', 'Sorry.', { internalMessage: 'disk sda1 is full' });
    expect(error.publicMessage).toBe('Sorry.');
    expect(error.message).toBe('disk sda1 is full');
  });

  it('hides the text of an unknown error from callers', () => {
    const error = toAppError(new Error('password=hunter2'));
    expect(error.code).toBe('internal');
    expect(error.publicMessage).not.toContain('hunter2');
  });
});

describe('backoffMs', () => {
  it('doubles, stays within the limit and keeps at least half of the step', () => {
    const options = { initialMs: 100, maxMs: 1_000 };
    expect(backoffMs(0, { ...options, random: () => 0 })).toBe(50);
    expect(backoffMs(1, { ...options, random: () => 1 })).toBe(200);
    expect(backoffMs(50, { ...options, random: () => 1 })).toBe(1_000);
  });
});
