import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { BusClient } from '#libs/bus';
import type { Execution, RequestOf, ResponseOf, runRequests } from '#libs/contracts';
import type { AppLogger } from '#libs/telemetry';
import { RepeatedHits } from './repeated-hits.service.js';

type Request = RequestOf<typeof runRequests.repeatHits>;
type Response = ResponseOf<typeof runRequests.repeatHits>;

const execution = { id: 'exe_1', workspaceId: 'wsp_1', runId: 'run_1', cacheStatus: 'HIT', version: 1 } as Execution;
const question: RequestOf<typeof runRequests.submitExecution> = {
  query: { case: 'savedQuery', value: { id: 'qry_1' } },
  priority: 'DASHBOARD',
  queryOptions: [],
};

let asked: Request[];
let answer: (request: Request) => Promise<Response>;
let hits: RepeatedHits;

const accepting = async (request: Request): Promise<Response> => ({
  hits: request.hits.map(() => ({ accepted: true, submittedAt: new Date(5), cacheAgeSeconds: 3 })),
});

beforeEach(() => {
  asked = [];
  answer = accepting;
  const bus = {
    request: (_contract: unknown, input: Request) => {
      asked.push(input);
      return answer(input);
    },
  } as unknown as BusClient;
  hits = new RepeatedHits(bus, { warn: vi.fn() } as unknown as AppLogger);
});

const key = (token = 'token'): string => hits.keyOf(question, token) ?? '';

describe('a question that was a hit', () => {
  it('is repeated for the same caller alone, under a new id and as of now', async () => {
    hits.remember(key(), { execution, repeatableAtRevision: 4 });
    const repeated = await hits.repeat(key());
    expect(repeated).toMatchObject({ runId: 'run_1', submittedAt: new Date(5), cacheAgeSeconds: 3 });
    expect(repeated?.id).not.toBe('exe_1');
    expect(asked[0]?.hits[0]).toMatchObject({ hitId: 'exe_1', revision: 4, executionId: repeated?.id });
    expect(await hits.repeat(key('another token'))).toBeUndefined();
  });

  it('is not repeated where the orchestrator did not offer it, nor with an idempotency key', async () => {
    hits.remember(key(), { execution });
    expect(await hits.repeat(key())).toBeUndefined();
    expect(hits.keyOf({ ...question, idempotencyKey: 'once' }, 'token')).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('is submitted anew, and forgotten, where it is refused', async () => {
    hits.remember(key(), { execution, repeatableAtRevision: 4 });
    answer = async ({ hits: all }) => ({ hits: all.map(() => ({ accepted: false, cacheAgeSeconds: 0 })) });
    expect(await hits.repeat(key())).toBeUndefined();
    expect(await hits.repeat(key())).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it('is submitted anew where nobody answers', async () => {
    hits.remember(key(), { execution, repeatableAtRevision: 4 });
    answer = async () => Promise.reject(new Error('no answer'));
    expect(await hits.repeat(key())).toBeUndefined();
  });

  it('goes with all that arrive together, and each has its own answer', async () => {
    hits.remember(key(), { execution, repeatableAtRevision: 4 });
    const repeated = await Promise.all(Array.from({ length: 100 }, () => hits.repeat(key())));
    expect(asked.map((request) => request.hits.length)).toEqual([100]);
    expect(new Set(repeated.map((one) => one?.id)).size).toBe(100);
  });

  it('goes with all that come while a batch is under way, before the answers to that one are made', async () => {
    hits.remember(key(), { execution, repeatableAtRevision: 4 });
    const order: string[] = [];
    const { promise: mayAnswer, resolve: letAnswer } = Promise.withResolvers<void>();
    answer = async (request) => {
      order.push(`asked for ${request.hits.length}`);
      await mayAnswer;
      return accepting(request);
    };
    const first = hits.repeat(key()).then(() => order.push('answered'));
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    const others = Array.from({ length: 10 }, () => hits.repeat(key()));
    letAnswer();
    await Promise.all([first, ...others]);
    expect(order).toEqual(['asked for 1', 'asked for 10', 'answered']);
  });
});
