import type { DataSource } from 'typeorm';
import { tablePath } from '../table-path.js';
import { OutboxEntity } from './outbox.entity.js';
import { onOutboxCommit } from './outbox-commits.js';

export interface OutboxMessage {
  readonly sequence: number;
  readonly messageId: string;
  /** The stream's area. */
  readonly area: string;
  readonly type: string;
  /** As it goes into the stream. */
  readonly envelope: Uint8Array;
}

export interface OutboxBacklog {
  /** At most 10,000: beyond it nobody needs the exact number. */
  readonly unpublished: number;
  readonly oldestSeconds: number;
}

interface Row {
  sequence: string;
  message_id: string;
  area: string;
  type: string;
  envelope: Buffer;
}

const keptFor = '24 hours';

/** What the relay of libs/bus reads: the events of this service's committed transactions. */
export class OutboxStore {
  private readonly table: string;

  constructor(private readonly dataSource: DataSource) {
    this.table = tablePath(dataSource, OutboxEntity);
  }

  /** Calls `listener` after each commit that left an event here; the answer ends that. A hint only: another instance's commits are seen by polling. */
  onCommitted(listener: () => void): () => void {
    return onOutboxCommit(this.dataSource, listener);
  }

  /**
   * Hands the oldest unpublished events to `publish`, in order, and marks them when it resolves. One instance of a service
   * publishes at a time, so that the order holds; for the others there is nothing to do. When `publish` fails, or the
   * process dies, the same events come again: at least once.
   * @returns how many were published
   */
  async publishNext(limit: number, publish: (messages: readonly OutboxMessage[]) => Promise<void>): Promise<number> {
    return this.dataSource.transaction(async (manager) => {
      const [lock]: { held: boolean }[] = await manager.query(
        `select pg_try_advisory_xact_lock(hashtextextended('sluice.relay.' || $1, 0)) as held`,
        [this.table],
      );
      if (!lock?.held) return 0;
      const rows: Row[] = await manager.query(
        `select sequence, message_id, area, type, envelope from ${this.table}
          where published_at is null order by sequence limit $1 for update skip locked`,
        [limit],
      );
      if (rows.length === 0) return 0;
      await publish(rows.map(toMessage));
      await manager.query(`update ${this.table} set published_at = now() where sequence = any($1::bigint[])`, [
        rows.map((row) => row.sequence),
      ]);
      return rows.length;
    });
  }

  /** What was published in the last 24 h, in order, to rebuild a stream that was lost; `afterSequence` goes on from there. */
  async listPublished(area: string, afterSequence: number, limit: number): Promise<readonly OutboxMessage[]> {
    const rows: Row[] = await this.dataSource.query(
      `select sequence, message_id, area, type, envelope from ${this.table}
        where area = $1 and sequence > $2 and published_at >= now() - interval '${keptFor}'
        order by sequence limit $3`,
      [area, afterSequence, limit],
    );
    return rows.map(toMessage);
  }

  /** The message id of what was published last in the last 24 h: by it a relay sees whether the stream still has its end. */
  async lastPublished(area: string): Promise<string | undefined> {
    const [row]: { message_id: string }[] = await this.dataSource.query(
      `select message_id from ${this.table}
        where area = $1 and published_at >= now() - interval '${keptFor}'
        order by published_at desc, sequence desc limit 1`,
      [area],
    );
    return row?.message_id;
  }

  async backlog(): Promise<OutboxBacklog> {
    const [row]: { unpublished: string; oldest_seconds: string | null }[] = await this.dataSource.query(
      `select count(*) as unpublished, extract(epoch from now() - min(created_at)) as oldest_seconds
         from (select created_at from ${this.table} where published_at is null order by sequence limit 10000) as waiting`,
    );
    return { unpublished: Number(row?.unpublished ?? 0), oldestSeconds: Number(row?.oldest_seconds ?? 0) };
  }

  /** Deletes what was published more than 24 h ago, at most `limit` rows. @returns how many */
  async purge(limit: number): Promise<number> {
    const rows: unknown[] = await this.dataSource.query(
      `with gone as (
         delete from ${this.table} where sequence in (
           select sequence from ${this.table} where published_at < now() - interval '${keptFor}'
            order by published_at limit $1 for update skip locked)
         returning 1)
       select 1 from gone`,
      [limit],
    );
    return rows.length;
  }
}

function toMessage(row: Row): OutboxMessage {
  return {
    sequence: Number(row.sequence),
    messageId: row.message_id,
    area: row.area,
    type: row.type,
    envelope: row.envelope,
  };
}
