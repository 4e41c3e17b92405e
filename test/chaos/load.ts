import { delay } from '#libs/kernel';
import type { ApiAddress, ApiClient } from '../support/api-client.js';
import { cancel, sqlInput, tryRun } from '../support/executions.js';
import { ExecutionRecorder } from '../support/execution-recorder.js';
import type { History } from '../support/history.js';
import { endlessQuery, manyRowsQuery, slowQuery, slowRowsQuery, type MarkedQuery } from '../support/slow-queries.js';
import type { Random } from './random.js';

export type Kind = 'short' | 'slow' | 'rows' | 'slow rows' | 'canceled';

export interface Asked {
  kind: Kind;
  key: string;
  query: MarkedQuery;
  id: string;
  history: History;
}

interface Recipe {
  weight: number;
  query: () => MarkedQuery;
}

export const rowsPerQuery = 3_000;

const recipes: Record<Kind, Recipe> = {
  short: { weight: 8, query: () => slowQuery(20) },
  slow: { weight: 4, query: () => slowQuery(800) },
  rows: { weight: 3, query: () => manyRowsQuery(rowsPerQuery) },
  'slow rows': { weight: 3, query: () => slowRowsQuery(rowsPerQuery, 3_000) },
  canceled: { weight: 2, query: endlessQuery },
};

/** Keeps a number of executions in flight at two gateways, each with a subscriber that writes down what it is told. */
export class Load {
  readonly asked: Asked[] = [];
  readonly refusals: string[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private readonly ended = new AbortController();
  private isStopping = false;
  private sent = 0;

  constructor(
    private readonly options: {
      client: ApiClient;
      gateways: readonly ApiAddress[];
      sourceId: string;
      inFlight: number;
      random: Random;
    },
  ) {}

  get inFlight(): number {
    return this.underWay.size;
  }

  get finishedCount(): number {
    return this.asked.length - this.inFlight;
  }

  start(): void {
    while (this.inFlight < this.options.inFlight && !this.isStopping) this.next();
  }

  /** Asks nothing more and waits until every subscriber has been told the end. Gives up after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(() => this.ended.abort(), timeoutMs);
    await Promise.all(this.underWay);
    clearTimeout(timer);
  }

  private next(): void {
    const one = this.one().finally(() => {
      this.underWay.delete(one);
      this.start();
    });
    this.underWay.add(one);
  }

  private async one(): Promise<void> {
    const { random, gateways } = this.options;
    this.sent += 1;
    const number = this.sent;
    const kind = pickKind(random);
    const query = recipes[kind].query();
    const key = `chaos-${random.seed}-${number}`;
    const id = await this.submit(number, query.text, key);
    if (id === undefined) return;
    const recorder = new ExecutionRecorder({
      client: this.options.client,
      id,
      gateways: number % 2 === 0 ? gateways : gateways.toReversed(),
      signal: this.ended.signal,
      silenceMs: 1_500,
    });
    this.asked.push({ kind, key, query, id, history: recorder.history });
    if (kind === 'canceled') await this.cancelSoon(id, number);
    await recorder.whenComplete();
  }

  /** As a good client does: the same key until there is an answer. */
  private async submit(number: number, text: string, idempotencyKey: string): Promise<string | undefined> {
    const input = sqlInput(this.options.sourceId, text, { idempotencyKey });
    for (let attempt = 0; !this.ended.signal.aborted; attempt += 1) {
      try {
        const { execution, errors } = await tryRun(this.clientOf(number + attempt), input);
        if (execution) return execution.id;
        if (errors.some(({ retryable, code }) => !retryable && code !== 'UNKNOWN_OUTCOME')) {
          this.refusals.push(`${idempotencyKey}: ${JSON.stringify(errors)}`);
          return undefined;
        }
      } catch {
        // The gateway is gone, or a service behind it: the next attempt goes to another gateway.
      }
      await delay(200);
    }
    this.refusals.push(`${idempotencyKey}: no answer`);
    return undefined;
  }

  private async cancelSoon(id: string, number: number): Promise<void> {
    await delay(this.options.random.between(0, 2_500));
    for (let attempt = 0; !this.ended.signal.aborted; attempt += 1) {
      try {
        const { execution, errors } = await cancel(this.clientOf(number + attempt), id);
        if (execution && errors.length === 0) return;
      } catch {
        // As with submit.
      }
      await delay(200);
    }
  }

  private clientOf(number: number): ApiClient {
    const { client, gateways } = this.options;
    const gateway = gateways[number % gateways.length];
    if (!gateway) throw new Error('load needs a gateway');
    return client.at(gateway);
  }
}

function pickKind(random: Random): Kind {
  // Object.entries widens the keys of a Record.
  const entries = Object.entries(recipes) as [Kind, Recipe][];
  return random.pick(entries.flatMap(([kind, { weight }]) => Array.from({ length: weight }, () => kind)));
}
