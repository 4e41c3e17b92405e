import type { DataSource, EntitySubscriberInterface, QueryRunner } from 'typeorm';

const usedMark = 'sluiceOutboxUsed';

/** Notes that the runner's transaction holds an event. */
export function markOutboxUsed(runner: QueryRunner): void {
  // `data` is TypeORM's own place for what belongs to one runner, typed as any.
  (runner.data as Record<string, unknown>)[usedMark] = true;
}

/** Calls `listener` after each commit of a transaction that held an event. */
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
  dataSource.subscribers.push(subscriber);
  return () => {
    const at = dataSource.subscribers.indexOf(subscriber);
    if (at >= 0) dataSource.subscribers.splice(at, 1);
  };
}
