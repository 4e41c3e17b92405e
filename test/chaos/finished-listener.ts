import { delay } from '#libs/kernel';
import { until } from '#libs/testing';
import type { ApiAddress, ApiClient } from '../support/api-client.js';
import { executionsFinished } from '../support/execution-events.js';
import type { HistoryFile, Recorder } from './history/history-file.js';
import type { Caller } from './load.js';

/** Follows the ends of all executions of one caller over every break, and writes them down. */
export class FinishedListener {
  readonly told = new Set<string>();
  private readonly record: Recorder;
  private cursor: string | undefined;
  private isStopping = false;
  private events: AsyncGenerator<unknown> | undefined;
  private listening: Promise<void> = Promise.resolve();

  constructor(
    private readonly caller: Caller,
    private readonly gateways: () => readonly ApiAddress[],
    history: HistoryFile,
  ) {
    this.record = history.recorderOf(`listener of ${caller.name}`);
  }

  start(): void {
    this.listening = this.listen();
  }

  /** Waits until it has heard of all of them, for a while. */
  async stop(expected: readonly string[], timeoutMs: number): Promise<void> {
    await until(() => expected.every((id) => this.told.has(id)), { timeoutMs, intervalMs: 100 }).catch(() => undefined);
    this.isStopping = true;
    await Promise.race([this.events?.return(undefined), this.listening, delay(1_000)]);
  }

  private async listen(): Promise<void> {
    for (let attempt = 0; !this.isStopping; attempt += 1) {
      const gateways = this.gateways();
      const gateway = gateways[attempt % gateways.length];
      if (!gateway) throw new Error('a listener needs a gateway');
      try {
        await this.sit(gateway);
      } catch {
        // It comes back with its cursor, as the documentation tells clients to.
      }
      await delay(200);
    }
  }

  private async sit(gateway: ApiAddress): Promise<void> {
    const { client, name } = this.caller;
    const from = client.at(gateway);
    this.cursor ??= await cursorOfNow(from);
    const events = executionsFinished(from, { after: this.cursor });
    this.events = events;
    for await (const { execution, state, cursor, reason = '' } of events) {
      this.cursor = cursor;
      const id = execution?.id ?? 'unknown';
      this.told.add(id);
      this.record({ f: 'finished', type: 'info', caller: name, execution: id, state: state ?? `skipped: ${reason}` });
    }
  }
}

async function cursorOfNow(client: ApiClient): Promise<string> {
  const answer = await client.request<{ executionsFinishedCursor: string }>('{ executionsFinishedCursor }');
  return answer.executionsFinishedCursor;
}
