import { DataSource } from 'typeorm';
import { backoffMs, delay } from '#libs/kernel';
import { isConnectionFault } from '../postgres-errors.js';
import { noteConnectFaults } from './connect-faults.js';
import type { PostgresOptions } from './data-source-options.js';
import { runMigrations } from './run-migrations.js';

const attemptsMax = 30;

/** Waits for a database that is still starting, migrates it and connects. Any other fault is thrown at once. */
export async function openDataSource(options: PostgresOptions, migrating: PostgresOptions): Promise<DataSource> {
  const migrator = await connect(migrating);
  try {
    await runMigrations(migrator, options.schema ?? 'public');
  } finally {
    await migrator.destroy();
  }
  return connect(options);
}

/** Connects, waiting for a database that is still starting. */
async function connect(options: PostgresOptions): Promise<DataSource> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connectOnce(options);
    } catch (error) {
      if (!isConnectionFault(error) || attempt + 1 >= attemptsMax) throw error;
      const reason = error instanceof Error ? error.message : 'unknown';
      if (typeof options.logger === 'object') options.logger.log('warn', `the database is not there: ${reason}`);
      await delay(backoffMs(attempt, { initialMs: 100, maxMs: 2_000 }));
    }
  }
}

export async function connectOnce(options: PostgresOptions): Promise<DataSource> {
  const dataSource = await new DataSource(options).initialize();
  noteConnectFaults(dataSource);
  return dataSource;
}
