import type { RedisConnections } from '#libs/redis';
import { giveUpEvent } from './scripts.js';
import { field } from './stream-entry.js';

const deadLettersMax = 10_000;
const reasonMax = 500;

export interface DeadLetter {
  /** In `<stream>:dead`. */
  id: string;
  /** Who gave it up. */
  group: string;
  /** The entry of the stream that it was. */
  entryId: string;
  reason: string;
  bytes: Buffer;
}

/** The events of one stream that were given up, in `<stream>:dead`, until somebody sends them again. */
export class DeadLetters {
  private readonly deadKey: string;

  constructor(
    private readonly redis: RedisConnections,
    private readonly key: string,
  ) {
    this.deadKey = redis.keys.deadLetters(key);
  }

  /** Acknowledges an event and keeps it here, both or neither. @returns whether it was still to be acknowledged */
  async giveUp({ group, entryId, reason, bytes }: Omit<DeadLetter, 'id'>): Promise<boolean> {
    const given = await giveUpEvent.run(
      this.redis.call('broker'),
      ...[this.key, this.deadKey, group, entryId, deadLettersMax],
      ...[field, bytes, 'group', group, 'of', entryId, 'reason', reason.slice(0, reasonMax)],
    );
    return given === 1;
  }

  count(): Promise<number> {
    return this.redis.client('broker').xlen(this.deadKey);
  }

  /** The oldest. */
  async list(limit = 100): Promise<DeadLetter[]> {
    const entries = await this.redis.client('broker').xrangeBuffer(this.deadKey, '-', '+', 'COUNT', limit);
    return entries.map(([id, fields]) => {
      const of = (name: string): Buffer | undefined => fields[fields.findIndex((each) => each.toString() === name) + 1];
      return {
        id: id.toString(),
        group: String(of('group') ?? ''),
        entryId: String(of('of') ?? ''),
        reason: String(of('reason') ?? ''),
        bytes: of(field) ?? Buffer.alloc(0),
      };
    });
  }

  /** Sends the oldest dead letters once more to every group; those who had handled them know them by their id. @returns how many */
  async redrive(limit = 100): Promise<number> {
    const client = this.redis.client('broker');
    const letters = await this.list(limit);
    for (const { id, bytes } of letters) {
      // Both or neither; and where two redrive at once, twice, which is what consumers are made for.
      const results = await client.multi().xadd(this.key, '*', field, bytes).xdel(this.deadKey, id).exec();
      const failed = results?.find(([error]) => error)?.[0];
      if (failed) throw failed;
    }
    return letters.length;
  }
}
