import { DataSource } from 'typeorm';
import { InboxEntity, OutboxEntity } from '#libs/database';
import { CreateOrchestrator1795219300000 } from '../src/migrations/1795219300000-create-orchestrator.js';

export type TestDatabase = DataSource;

/** A database with the orchestrator's schema, for one suite. */
export async function openDatabase(url: string, poolSize = 20): Promise<TestDatabase> {
  const dataSource = await new DataSource({
    type: 'postgres',
    url,
    schema: 'orchestrator',
    poolSize,
    entities: [OutboxEntity, InboxEntity],
    migrations: [CreateOrchestrator1795219300000],
  }).initialize();
  await dataSource.query('create schema if not exists orchestrator');
  await dataSource.runMigrations();
  return dataSource;
}
