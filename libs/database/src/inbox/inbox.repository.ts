import type { EntityManager } from 'typeorm';
import { tablePath } from '../table-path.js';
import { InboxEntity } from './inbox.entity.js';

/** Longer than any event is kept to be told again. */
const keptFor = '7 days';

/** Remembers which events have had their effect here. */
export class InboxRepository {
  /**
   * True the first time that a message comes, false when its effect has been committed before. It must be asked in the
   * transaction of the effect: then both are there, or neither.
   */
  async once(manager: EntityManager, messageId: string): Promise<boolean> {
    if (!manager.queryRunner?.isTransactionActive) throw new Error('the inbox was asked outside of a transaction');
    const rows: unknown[] = await manager.query(
      `insert into ${tablePath(manager.dataSource, InboxEntity)} (message_id) values ($1) on conflict do nothing returning 1`,
      [messageId],
    );
    return rows.length === 1;
  }

  /** Forgets what came more than a week ago, at most `limit` rows. @returns how many */
  async purge(manager: EntityManager, limit: number): Promise<number> {
    const table = tablePath(manager.dataSource, InboxEntity);
    const rows: unknown[] = await manager.query(
      `with gone as (
         delete from ${table} where message_id in (
           select message_id from ${table} where received_at < now() - interval '${keptFor}'
            order by received_at limit $1 for update skip locked)
         returning 1)
       select 1 from gone`,
      [limit],
    );
    return rows.length;
  }
}
