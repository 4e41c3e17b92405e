import { MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../quote-identifier.js';
import { keepsSession } from './data-source-options.js';

/** How long one instance waits while another one migrates. */
const otherInstanceWait = '5min';
/** How long a migration may wait for a table that is in use; whoever queues behind it waits as long. */
const tableWait = '10s';

/**
 * Brings the service's schema to this release, all of it in one transaction: of several instances that start together
 * one does the work, the others wait and find it done. A schema that is ahead of this release is left as it is.
 *
 * A migration with `transaction = false` builds an index concurrently, which no transaction can hold. Where a release has
 * one, each migration stands for itself, and a lock in another connection keeps the other instances away.
 * @returns the names of the migrations that ran
 */
export async function runMigrations(dataSource: DataSource, schema: string): Promise<readonly string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query(`set local statement_timeout = '${otherInstanceWait}'`);
    await runner.query(`set local lock_timeout = '${otherInstanceWait}'`);
    await runner.query(`set local idle_in_transaction_session_timeout = 0`);
    await runner.query(`select pg_advisory_xact_lock(hashtextextended('sluice.migrate.' || $1, 0))`, [schema]);
    await runner.query(`set local lock_timeout = '${tableWait}'`);
    const isOnline = dataSource.migrations.some(({ transaction }) => transaction === false);
    const ran = await (isOnline ? runEach(dataSource, schema) : runAll(dataSource, schema, runner));
    await runner.commitTransaction();
    return ran;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}

async function runAll(dataSource: DataSource, schema: string, runner: QueryRunner): Promise<readonly string[]> {
  await createSchema(runner, schema);
  const executor = new MigrationExecutor(dataSource, runner);
  executor.transaction = 'all';
  const ran = await executor.executePendingMigrations();
  return ran.map(({ name }) => name);
}

async function runEach(dataSource: DataSource, schema: string): Promise<readonly string[]> {
  if (!keepsSession(dataSource.options)) {
    throw new Error(`This release builds an index: name the database past the pooler as a DATABASE_MIGRATION_URL`);
  }
  const runner = dataSource.createQueryRunner();
  try {
    // For the connection, which serves nothing else; what waits for a table is tried again at the next start.
    await runner.query(`set statement_timeout = 0`);
    await runner.query(`set lock_timeout = '${tableWait}'`);
    await createSchema(runner, schema);
    const executor = new MigrationExecutor(dataSource, runner);
    executor.transaction = 'each';
    const ran = await executor.executePendingMigrations();
    return ran.map(({ name }) => name);
  } finally {
    await runner.release();
  }
}

// `create schema if not exists` asks for the right to create even where there is nothing to do.
async function createSchema(runner: QueryRunner, schema: string): Promise<void> {
  const found = await runner.manager.query<unknown[]>('select 1 from pg_catalog.pg_namespace where nspname = $1', [
    schema,
  ]);
  if (found.length === 0) await runner.query(`create schema ${quoteIdentifier(schema)}`);
}
