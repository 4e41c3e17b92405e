import { createHash } from 'node:crypto';
import { delay } from '#libs/kernel';
import type { ApiAddress, ApiClient } from '../support/api-client.js';
import type { ExecutionEvent } from '../support/api-types.js';
import { cancel, sqlInput, tryRun } from '../support/executions.js';
import { ExecutionRecorder } from '../support/execution-recorder.js';
import { wrongRows } from '../support/history.js';
import type { HistoryFile, Recorder } from './history/history-file.js';
import type { Question, ToldEvent } from './history/operation.js';
import { anyQuestion, type Asked, type Region } from './questions.js';
import type { Random } from './random.js';
import { isTold, textOf } from './told-errors.js';

export interface Caller {
  name: string;
  client: ApiClient;
  /** All that this caller may see of what is governed. */
  region: Region;
}

export interface LoadOptions {
  callers: readonly Caller[];
  gateways: () => readonly ApiAddress[];
  sources: Record<Asked['source'], string>;
  inFlight: number;
  random: Random;
  history: HistoryFile;
  /** Begins the idempotency keys. */
  keyPrefix: string;
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** Keeps a number of executions in flight, each asked and followed by a client that writes down what it does and is told. */
export class Load {
  finishedCount = 0;
  /** How often each client has asked and been told the end. */
  readonly rounds: number[];
  private readonly accepted = new Map<string, string[]>();
  private readonly clients: Promise<void>[] = [];
  private readonly ended = new AbortController();
  private isStopping = false;
  private sent = 0;

  constructor(private readonly options: LoadOptions) {
    this.rounds = Array.from({ length: options.inFlight }, () => 0);
  }

  get size(): number {
    return this.options.inFlight;
  }

  /** What must be told to a caller as ended: all but what was answered from the cache. */
  acceptedOf(caller: string): readonly string[] {
    return this.accepted.get(caller) ?? [];
  }

  start(): void {
    for (let number = 1; number <= this.options.inFlight; number += 1) this.clients.push(this.client(number));
  }

  /** Asks nothing more and waits until every subscriber has been told the end. Gives up after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(() => this.ended.abort(), timeoutMs);
    await Promise.all(this.clients);
    clearTimeout(timer);
  }

  private async client(number: number): Promise<void> {
    const { callers, history } = this.options;
    const caller = callers[number % callers.length];
    if (!caller) throw new Error('load needs a caller');
    const record = history.recorderOf(`client-${number}`);
    while (!this.isStopping) {
      this.sent += 1;
      await this.one(number, caller, record);
      this.finishedCount += 1;
      this.rounds[number - 1] = (this.rounds[number - 1] ?? 0) + 1;
    }
  }

  private async one(number: number, caller: Caller, record: Recorder): Promise<void> {
    const question = anyQuestion(this.options.random);
    const key = `${this.options.keyPrefix}${this.sent}`;
    record({ f: 'submit', type: 'invoke', key, caller: caller.name, question: plainQuestion(question) });
    const id = await this.submit(number, caller, question, key, record);
    if (id === undefined) return;
    const gateways = this.options.gateways();
    const recorder = new ExecutionRecorder({
      client: caller.client,
      id,
      gateways: number % 2 === 0 ? gateways : gateways.toReversed(),
      signal: this.ended.signal,
      silenceMs: 3_000,
      listener: {
        connects: (gateway) => record({ f: 'subscribe', type: 'invoke', execution: id, gateway }),
        hears: (event) =>
          record({ f: 'told', type: 'info', execution: id, event: plainEvent(event, question, caller) }),
        leaves: (end) =>
          end === 'complete'
            ? record({ f: 'subscribe', type: 'ok', execution: id })
            : record({ f: 'subscribe', type: 'info', execution: id, end }),
      },
    });
    if (question.isCanceled) await this.cancelSoon(number, caller, id, record);
    await recorder.whenComplete();
  }

  /** As a good client does: the same key until there is an answer. */
  private async submit(
    number: number,
    { client, name }: Caller,
    { source, text, maxAgeSeconds, isRelaxed = false }: Asked,
    key: string,
    record: Recorder,
  ): Promise<string | undefined> {
    const cache = maxAgeSeconds === undefined ? {} : { cache: { maxAgeSeconds } };
    const input = sqlInput(this.options.sources[source], text, {
      ...(isRelaxed ? {} : { idempotencyKey: key }),
      ...cache,
    });
    for (let attempt = 0; !this.ended.signal.aborted; attempt += 1) {
      try {
        const { execution, errors } = await tryRun(client.at(this.gateway(number + attempt)), input);
        if (execution) {
          const isHit = execution.cache.status === 'HIT';
          record({ f: 'submit', type: 'ok', key, execution: execution.id, isHit });
          if (!isHit) this.accept(name, execution.id);
          return execution.id;
        }
        const error = JSON.stringify(errors);
        if (errors.some(({ retryable, code }) => !retryable && code !== 'UNKNOWN_OUTCOME')) {
          record({ f: 'submit', type: 'fail', key, error });
          return undefined;
        }
        record({ f: 'submit', type: 'info', key, error, isTold: true });
      } catch (error) {
        record({ f: 'submit', type: 'info', key, error: textOf(error), isTold: isTold(error) });
      }
      await delay(200);
    }
    return undefined;
  }

  private async cancelSoon(number: number, { client }: Caller, execution: string, record: Recorder): Promise<void> {
    await delay(this.options.random.between(0, 2_500));
    record({ f: 'cancel', type: 'invoke', execution });
    for (let attempt = 0; !this.ended.signal.aborted; attempt += 1) {
      try {
        const { execution: canceled, errors } = await cancel(client.at(this.gateway(number + attempt)), execution);
        if (canceled && errors.length === 0) return record({ f: 'cancel', type: 'ok', execution });
        record({ f: 'cancel', type: 'info', execution, error: JSON.stringify(errors), isTold: true });
      } catch (error) {
        record({ f: 'cancel', type: 'info', execution, error: textOf(error), isTold: isTold(error) });
      }
      await delay(200);
    }
  }

  private accept(caller: string, execution: string): void {
    const accepted = this.accepted.get(caller) ?? [];
    accepted.push(execution);
    this.accepted.set(caller, accepted);
  }

  private gateway(number: number): ApiAddress {
    const gateways = this.options.gateways();
    const gateway = gateways[number % gateways.length];
    if (!gateway) throw new Error('load needs a gateway');
    return gateway;
  }
}

function plainQuestion({ text: _text, source: _source, maxAgeSeconds: _age, ...question }: Asked): Question {
  return question;
}

/** An event as it is written down: its rows are judged here, where they are. */
function plainEvent(event: ExecutionEvent, { source }: Asked, { region }: Caller): ToldEvent {
  const { __typename: name, reason, page, state } = event;
  const version = event.version ?? event.execution?.version;
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(state === undefined ? {} : { state }),
    ...(reason === undefined ? {} : { reason }),
    ...(page ? { page: { offset: page.offset, count: page.rows.length, ...judged(page, source, region) } } : {}),
  };
}

function judged(
  { offset, rows }: NonNullable<ExecutionEvent['page']>,
  source: Asked['source'],
  region: Region,
): { wrong: number; outside: number } {
  if (source === 'governed') return { wrong: 0, outside: rows.filter(([of]) => of !== region).length };
  // Single numbers say nothing by themselves.
  if ((rows[0]?.length ?? 0) < 2) return { wrong: 0, outside: 0 };
  return { wrong: wrongRows(rows, md5, offset).length, outside: 0 };
}
