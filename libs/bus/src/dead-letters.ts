import type { RedisConnections } from '#libs/redis';
import { field } from './stream-entry.js';

const deadLettersMax = 10_000;

export interface DeadLetter {
  entryId: string;
  group: string;
  bytes: Buffer;
  reason: string;
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

  async add({ entryId, group, bytes, reason }: DeadLetter): Promise<void> {
    await this.redis
      .client('broker')
      .xadd(
        this.deadKey,
        'MAXLEN',
        '~',
        deadLettersMax,
        '*',
        field,
        bytes,
        'group',
        group,
        'of',
        entryId,
        'reason',
        reason.slice(0, 500),
      );
  }

  count(): Promise<number> {
    return this.redis.client('broker').xlen(this.deadKey);
  }

  /** Sends the oldest dead letters once more to every group; those who had handled them know them by their id. @returns how many */
  async redrive(limit = 100): Promise<number> {
    const client = this.redis.client('broker');
    const letters = await client.xrangeBuffer(this.deadKey, '-', '+', 'COUNT', limit);
    for (const [id, fields] of letters) {
      const bytes = fields[1];
      if (bytes) await client.xadd(this.key, '*', field, bytes);
      await client.xdel(this.deadKey, id.toString());
    }
    return letters.length;
  }
}
