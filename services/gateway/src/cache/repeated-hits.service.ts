import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';
import { BusClient, serviceContext } from '#libs/bus';
import { runRequests, type Execution, type RequestOf, type ResponseOf } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';

type Question = RequestOf<typeof runRequests.submitExecution>;
type Submitted = ResponseOf<typeof runRequests.submitExecution>;
type Repeat = RequestOf<typeof runRequests.repeatHits>['hits'][number];
type Repeated = ResponseOf<typeof runRequests.repeatHits>['hits'][number];

interface KnownHit {
  readonly execution: Execution;
  readonly revision: number;
}

interface Waiting {
  readonly repeat: Repeat;
  readonly settle: (repeated: Repeated | undefined) => void;
}

const knownMax = 10_000;
/** Characters of what is remembered of all of them, counted roughly. */
const knownCharactersMax = 50_000_000;
/** What has changed without raising a revision, as a lost copy of one does, counts after this at the latest. */
const knownMs = 5_000;
const batchMax = 1_000;

/**
 * Answers questions that were hits a moment ago, for the same caller by the same credentials, without planning them
 * again. Each is still an execution of its own, recorded before it is answered: the orchestrator makes them in batches,
 * and looks for each batch whether the kept result still answers. What it refuses is submitted like any other question.
 */
@Injectable()
export class RepeatedHits {
  private readonly known = new LRUCache<string, KnownHit>({
    max: knownMax,
    maxSize: knownCharactersMax,
    sizeCalculation: ({ execution }) => 1_000 + (execution.sql?.length ?? 0) + textLengthOf(execution.parameters),
    ttl: knownMs,
  });
  private waiting: Waiting[] = [];
  private isAsking = false;

  constructor(
    private readonly bus: BusClient,
    private readonly logger: AppLogger,
  ) {}

  /** @param accessToken who asks, and by which rights: another token is another caller */
  keyOf(question: Question, accessToken: string): string | undefined {
    if (question.idempotencyKey !== undefined) return undefined;
    // A hash, as questions may be long and tokens are not to lie about.
    return hash('sha256', `${accessToken} ${JSON.stringify(question)}`, 'base64');
  }

  remember(key: string, { execution, repeatableAtRevision: revision }: Submitted): void {
    if (execution && revision !== undefined) this.known.set(key, { execution, revision });
  }

  /** A new execution of the same answer; undefined where the question has to be submitted. */
  async repeat(key: string): Promise<Execution | undefined> {
    const hit = this.known.get(key);
    if (!hit) return undefined;
    const { id: hitId, workspaceId, submittedById: callerId } = hit.execution;
    const executionId = newId('execution');
    const traceId = trace.getActiveSpan()?.spanContext().traceId;
    const repeated = await this.record({ executionId, workspaceId, callerId, hitId, revision: hit.revision, traceId });
    if (!repeated?.accepted) {
      this.known.delete(key);
      return undefined;
    }
    const { submittedAt, cacheAgeSeconds } = repeated;
    return { ...hit.execution, id: executionId, submittedAt, finishedAt: submittedAt, cacheAgeSeconds, traceId };
  }

  private record(repeat: Repeat): Promise<Repeated | undefined> {
    return new Promise((settle) => {
      this.waiting.push({ repeat, settle });
      if (!this.isAsking) void this.askAll();
    });
  }

  /**
   * Batches form by themselves: while one is under way, the next gathers. That one leaves before the answers to the first are
   * made, so that the orchestrator works on it in the meantime.
   */
  private async askAll(): Promise<void> {
    this.isAsking = true;
    // What arrives together goes together.
    await nextTurn();
    let settle = (): void => undefined;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, batchMax);
      const asking = this.ask(batch.map(({ repeat }) => repeat));
      // What is sent in one turn of the event loop is written in the next.
      await nextTurn();
      await nextTurn();
      settle();
      const answers = await asking;
      settle = () => batch.forEach((each, index) => each.settle(answers[index]));
    }
    this.isAsking = false;
    settle();
  }

  private async ask(hits: Repeat[]): Promise<Repeated[]> {
    try {
      return (await this.bus.request(runRequests.repeatHits, { hits }, { context: serviceContext('gateway', '') }))
        .hits;
    } catch (err) {
      this.logger.warn({ err, count: hits.length }, 'hits could not be repeated and are submitted one by one');
      return [];
    }
  }
}

function textLengthOf(value: unknown): number {
  return value === undefined ? 0 : JSON.stringify(value).length;
}
