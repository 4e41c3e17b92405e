import { describe, expect, it } from 'vitest';
import { World } from '../../test/world.js';
import { executionAt, type RunLevel } from './run-level.js';

const running = { ...new World().execution(), state: 'RUNNING' as const, version: 2 };
const failed: RunLevel = {
  ...{ state: 'FAILED', version: 3, fence: 1, rows: 0, bytes: 0, changedAt: new Date(0), attempts: 1, wasLeft: false },
  error: { code: 'run.query_failed', message: 'column "salary" does not exist', retryable: false },
};

describe('what the firehose says of a run', () => {
  it('is no place to learn from what its source has failed with: that is read in the name of who asks', () => {
    expect(executionAt(running, failed)).toBeUndefined();
    expect(JSON.stringify(executionAt({ ...running, version: 3 }, failed))).not.toContain('salary');
  });

  it('without an error needs no read', () => {
    const level: RunLevel = { ...failed, state: 'SUCCEEDED', error: undefined };
    expect(executionAt(running, level)).toMatchObject({ state: 'SUCCEEDED', version: 3 });
  });
});
