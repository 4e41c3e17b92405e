import { delay } from '#libs/kernel';
import type { ApiAddress, ApiClient } from '../support/api-client.js';
import type { Failures } from '../support/api-types.js';
import { newSavedQuery, updateSavedQuery } from '../support/saved-queries.js';
import { updateUser } from '../support/people.js';
import type { HistoryFile, Recorder } from './history/history-file.js';
import { isTold, textOf } from './told-errors.js';

interface Stored {
  value: number;
  version: number;
}

/** One number that is kept by a service, changed under its version. */
export interface Register {
  name: string;
  read: (client: ApiClient) => Promise<Stored>;
  write: (client: ApiClient, value: number, version: number) => Promise<Failures>;
}

export async function savedQueryRegister(client: ApiClient, sourceId: string): Promise<Register> {
  const { id } = await newSavedQuery(client, sourceId, 'select 1', { description: '0' });
  const read = async (reader: ApiClient): Promise<Stored> => {
    const { node } = await reader.request<{ node: { description: string; version: number } }>(
      'query ($id: ID!) { node(id: $id) { ... on SavedQuery { description version } } }',
      { id },
    );
    return { value: Number(node.description), version: node.version };
  };
  const write = (writer: ApiClient, value: number, version: number): Promise<Failures> =>
    updateSavedQuery(writer, { id, version, description: String(value) });
  return { name: `saved query ${id}`, read, write };
}

export function userRegister(id: string): Register {
  const read = async (reader: ApiClient): Promise<Stored> => {
    const { node } = await reader.request<{ node: { attributes: { count?: number }; version: number } }>(
      'query ($id: ID!) { node(id: $id) { ... on User { attributes version } } }',
      { id },
    );
    return { value: node.attributes.count ?? 0, version: node.version };
  };
  const write = (writer: ApiClient, value: number, version: number): Promise<Failures> =>
    updateUser(writer, { id, version, attributes: { count: value } });
  return { name: `user ${id}`, read, write };
}

/** Counts one register up, as often as it can, and writes down what was acknowledged. */
export class Changes {
  private readonly record: Recorder;
  private isStopping = false;
  private working: Promise<void> = Promise.resolve();

  constructor(
    private readonly register: Register,
    private readonly client: ApiClient,
    private readonly gateways: () => readonly ApiAddress[],
    history: HistoryFile,
  ) {
    this.record = history.recorderOf(`writer of ${register.name}`);
  }

  start(): void {
    this.working = this.work();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.working;
    const { value } = await this.readAgain(false);
    this.record({ f: 'saved', type: 'ok', name: this.register.name, value });
  }

  private async work(): Promise<void> {
    let stored = await this.readAgain(true);
    for (let value = stored.value + 1; !this.isStopping; value += 1) {
      const isDone = await this.change(value, stored.version);
      // What may have been done or not has another version if it was.
      stored = isDone ? { value, version: stored.version + 1 } : await this.readAgain(true);
      await delay(250);
    }
  }

  private async change(value: number, version: number): Promise<boolean> {
    const { name, write } = this.register;
    this.record({ f: 'change', type: 'invoke', name, value });
    try {
      const { errors } = await write(this.at(value), value, version);
      if (errors.length === 0) {
        this.record({ f: 'change', type: 'ok', name, value });
        return true;
      }
      const error = JSON.stringify(errors);
      if (errors.some(({ code }) => code === 'CONFLICT'))
        this.record({ f: 'change', type: 'fail', name, value, error });
      else this.record({ f: 'change', type: 'info', name, value, error, isTold: true });
    } catch (error) {
      this.record({ f: 'change', type: 'info', name, value, error: textOf(error), isTold: isTold(error) });
    }
    return false;
  }

  private async readAgain(endsWithStop: boolean): Promise<Stored> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.register.read(this.at(attempt));
      } catch (error) {
        if (attempt > 300 || (endsWithStop && this.isStopping)) throw error;
        await delay(200);
      }
    }
  }

  private at(number: number): ApiClient {
    const gateways = this.gateways();
    const gateway = gateways[number % gateways.length];
    if (!gateway) throw new Error('changes need a gateway');
    return this.client.at(gateway);
  }
}
