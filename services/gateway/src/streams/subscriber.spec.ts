import { describe, expect, it } from 'vitest';
import type { Outlet } from './outlet.js';
import type { StreamOperation } from './stream-operation.js';
import { Subscriber } from './subscriber.js';

const newSubscriber = () => new Subscriber({} as StreamOperation, {} as Outlet);

describe('A subscriber', () => {
  it('that has failed tells it to whoever waits for its end, and leaves without another word', async () => {
    const subscriber = newSubscriber();
    const end = subscriber.next();
    subscriber.fail(new Error('gone'));
    await expect(end).rejects.toThrow('gone');
    expect(await subscriber.return()).toEqual({ done: true, value: undefined });
  });

  it('that fails while nobody waits for its end is no fault of the process', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    newSubscriber().fail(new Error('gone'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
