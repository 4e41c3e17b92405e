import type { DataSource, EntityManager } from 'typeorm';
import { backoffMs, delay } from '#libs/kernel';
import { isSerializationFailure } from './postgres-errors.js';

export interface TransactionOptions {
  isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  /** How often `work` is done at most when it loses against other transactions. */
  attemptsMax?: number;
}

/**
 * Does `work` in a transaction, and again where it lost against another one (serialization failure, deadlock). So `work`
 * must have no effect outside the database: what is to be told to others goes through the outbox.
 */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
  { isolation = 'READ COMMITTED', attemptsMax = 5 }: TransactionOptions = {},
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await dataSource.transaction(isolation, work);
    } catch (error) {
      if (!isSerializationFailure(error) || attempt + 1 >= attemptsMax) throw error;
      await delay(backoffMs(attempt, { initialMs: 10, maxMs: 200 }));
    }
  }
}
