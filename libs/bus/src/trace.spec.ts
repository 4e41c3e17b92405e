import { expect, it } from 'vitest';
import { runFinished, runRequests, workerRequests } from '#libs/contracts';
import { eventSpanName, spanName } from './trace.js';

it('names spans by service, feature and verb', () => {
  expect(spanName(runRequests.claimRun)).toBe('orchestrator.run.claimRun');
  expect(spanName(workerRequests.stopRun)).toBe('worker.worker.stopRun');
  expect(eventSpanName('results', runFinished)).toBe('results.run.runFinished');
});
