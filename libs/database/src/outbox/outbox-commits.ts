import type { DataSource, EntityManager, EntitySubscriberInterface } from 'typeorm';

const usedMark = 'sluiceOutboxUsed';
const listenersOf = new WeakMap<DataSource, Set<() => void>>();

/** Notes that an event was written: told once the manager's transaction has committed, or at once where there is none. */
export function markOutboxUsed({ queryRunner, connection }: EntityManager): void {
  if (queryRunner?.isTransactionActive) {
    // `data` is TypeORM's own place for what belongs to one runner, typed as any.
    (queryRunner.data as Record<string, unknown>)[usedMark] = true;
    return;
  }
  for (const listener of listenersOf.get(connection) ?? []) listener();
}

/** Calls `listener` after each commit that left an event. */
export function onOutboxCommit(dataSource: DataSource, listener: () => void): () => void {
  const subscriber: EntitySubscriberInterface = {
    afterTransactionCommit({ queryRunner }) {
      const data = queryRunner.data as Record<string, unknown>;
      // The release of a savepoint is told as a commit too.
      if (!data[usedMark] || queryRunner.isTransactionActive) return;
      data[usedMark] = false;
      listener();
    },
  };
  const listeners = listenersOf.get(dataSource) ?? new Set();
  listenersOf.set(dataSource, listeners.add(listener));
  dataSource.subscribers.push(subscriber);
  return () => {
    listeners.delete(listener);
    const at = dataSource.subscribers.indexOf(subscriber);
    if (at >= 0) dataSource.subscribers.splice(at, 1);
  };
}
