import type { MessageHandler } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { requestsByService, resultsRequests, runFinished } from '#libs/contracts';
import { refuseMismatch } from './check-handlers.js';

const handler = (isEventHandler: boolean): MessageHandler => Object.assign(async () => undefined, { isEventHandler });

function complete(): Map<string, MessageHandler> {
  return new Map([
    ...requestsByService.results.map(({ pattern }) => [pattern, handler(false)] as const),
    [runFinished.type, handler(true)],
  ]);
}

const check =
  (handlers: ReadonlyMap<string, MessageHandler>, duplicates: string[] = []) =>
  () =>
    refuseMismatch('results', ['run'], handlers, new Set(duplicates));

describe('the handlers of a service', () => {
  it('fit where each contract has one of its kind', () => {
    expect(check(complete())).not.toThrow();
  });

  it('are refused with all that does not fit at once', () => {
    const handlers = complete();
    const { pattern } = resultsRequests.sealResult;
    handlers.delete(pattern);
    handlers.set('sluice.results.v1.Nobody', handler(false));
    handlers.set(runFinished.type, handler(false));
    expect(check(handlers, [resultsRequests.commitPage.pattern])).toThrowError(
      [
        'The handlers of results do not fit the registry:',
        `  nothing handles ${pattern}`,
        `  ${runFinished.type} is handled, but not as the event it is`,
        '  sluice.results.v1.Nobody has no contract of results',
        `  ${resultsRequests.commitPage.pattern} is handled twice`,
      ].join('\n'),
    );
  });
});
