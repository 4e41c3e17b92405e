import { DataSource } from 'typeorm';
import { InboxEntity, OutboxEntity } from '#libs/database';
import { testPoolingExtra } from '#libs/testing';
import { migrations } from '../src/migrations/migrations.js';

export type TestDatabase = DataSource;

/** A database with the orchestrator's schema, for one suite. */
export async function openDatabase(url: string, poolSize = 20): Promise<TestDatabase> {
  const dataSource = await new DataSource({
    type: 'postgres',
    url,
    schema: 'orchestrator',
    poolSize,
    entities: [OutboxEntity, InboxEntity],
    migrations,
    extra: testPoolingExtra,
  }).initialize();
  await dataSource.query('create schema if not exists orchestrator');
  await dataSource.runMigrations();
  return dataSource;
}
