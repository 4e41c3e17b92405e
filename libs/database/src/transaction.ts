import type { DataSource, EntityManager } from 'typeorm';
import { backoffMs, delay } from '#libs/kernel';
import { isSerializationFailure } from './postgres-errors.js';

export interface TransactionOptions {
  /** Not given: READ COMMITTED, the server's own, which costs no round trip to set. */
  isolation?: 'REPEATABLE READ' | 'SERIALIZABLE';
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
  { isolation, attemptsMax }: TransactionOptions = {},
): Promise<T> {
  return retryingLostRaces(
    () => (isolation === undefined ? dataSource.transaction(work) : dataSource.transaction(isolation, work)),
    attemptsMax,
  );
}

/** Does a statement that is its own transaction, and again where it lost against another one. */
export async function retryingLostRaces<T>(work: () => Promise<T>, attemptsMax = 5): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isSerializationFailure(error) || attempt + 1 >= attemptsMax) throw error;
      await delay(backoffMs(attempt, { initialMs: 10, maxMs: 200 }));
    }
  }
}
