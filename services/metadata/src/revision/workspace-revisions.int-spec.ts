import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { RevisionCopies, type RedisConnections } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { startPostgres, startRedis, type PostgresServer, type RedisServer } from '#libs/testing';
import { connectRedis } from '../../test/metadata-harness.js';
import { CountChanges1795240100000 } from '../migrations/1795240100000-count-changes.js';
import { Grants1795431000000 } from '../migrations/1795431000000-grants.js';
import { WorkspaceRevisions } from './workspace-revisions.repository.js';

let postgres: PostgresServer;
let server: RedisServer;
let database: DataSource;
let redis: RedisConnections;
let copies: RevisionCopies;
let revisions: WorkspaceRevisions;

beforeAll(async () => {
  [postgres, server] = await Promise.all([startPostgres(), startRedis()]);
  const url = await postgres.createDatabase();
  const migrations = [CountChanges1795240100000, Grants1795431000000];
  database = await new DataSource({ type: 'postgres', url, migrations }).initialize();
  await database.query('create schema metadata');
  await database.runMigrations();
  redis = connectRedis(server.url);
  await redis.ready('broker', 5_000);
  copies = new RevisionCopies(redis);
  const logger = AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' });
  revisions = new WorkspaceRevisions(database, copies, logger);
});
afterAll(async () => {
  await database.destroy();
  await redis.close();
  await Promise.all([postgres.stop(), server.stop()]);
});

const copyOf = (workspaceId: string): Promise<number | undefined> => copies.read(workspaceId, 'metadata');
const nothing = async (): Promise<void> => undefined;

describe('the revision of a workspace’s assets', () => {
  it('is raised with each change, and its copy is there when the change is answered', async () => {
    const workspaceId = newId('workspace');
    expect([await revisions.now(workspaceId), await copyOf(workspaceId)]).toEqual([0, undefined]);
    for (const expected of [1, 2, 3]) {
      await revisions.change(workspaceId, nothing);
      expect([await revisions.now(workspaceId), await copyOf(workspaceId)]).toEqual([expected, expected]);
    }
  });

  it('stands where the change was not done', async () => {
    const workspaceId = newId('workspace');
    await expect(revisions.change(workspaceId, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect([await revisions.now(workspaceId), await copyOf(workspaceId)]).toEqual([0, undefined]);
  });

  it('counts every one of many changes at once, and its copy ends at the last', async () => {
    const workspaceId = newId('workspace');
    await Promise.all(Array.from({ length: 20 }, () => revisions.change(workspaceId, nothing)));
    expect([await revisions.now(workspaceId), await copyOf(workspaceId)]).toEqual([20, 20]);
  });

  it('has a copy that never falls', async () => {
    const workspaceId = newId('workspace');
    await copies.raise(workspaceId, 'metadata', 7);
    await copies.raise(workspaceId, 'metadata', 5);
    expect(await copyOf(workspaceId)).toBe(7);
  });

  it('is raised also where Redis is away, which a reader takes for a copy that says nothing', async () => {
    const workspaceId = newId('workspace');
    const away = connectRedis('redis://127.0.0.1:1');
    const lonely = new WorkspaceRevisions(
      database,
      new RevisionCopies(away),
      AppLogger.create({ service: 'metadata', instance: 'm1', level: 'silent' }),
    );
    await lonely.change(workspaceId, nothing);
    expect(await lonely.now(workspaceId)).toBe(1);
    expect(await new RevisionCopies(away).read(workspaceId, 'metadata')).toBeUndefined();
    await away.close();
  });
});
