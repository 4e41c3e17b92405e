import { DataSource } from 'typeorm';
import { backoffMs, delay } from '#libs/kernel';
import { isConnectionFault } from '../postgres-errors.js';
import type { PostgresOptions } from './data-source-options.js';
import { runMigrations } from './run-migrations.js';

const attemptsMax = 30;

/** Connects, waiting for a database that is still starting, and migrates. Any other fault is thrown at once. */
export async function openDataSource(options: PostgresOptions): Promise<DataSource> {
  const dataSource = await connect(options);
  try {
    await runMigrations(dataSource, options.schema ?? 'public');
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

async function connect(options: PostgresOptions): Promise<DataSource> {
  for (let attempt = 0; ; attempt += 1) {
    const dataSource = new DataSource(options);
    try {
      return await dataSource.initialize();
    } catch (error) {
      if (!isConnectionFault(error) || attempt + 1 >= attemptsMax) throw error;
      dataSource.logger.log('warn', `the database is not there: ${error instanceof Error ? error.message : 'unknown'}`);
      await delay(backoffMs(attempt, { initialMs: 100, maxMs: 2_000 }));
    }
  }
}
