import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource as Database } from 'typeorm';
import {
  dataSourceChanged,
  envelopeCodec,
  type DataSource,
  type DataSourceChanged,
  type SavedQuery,
  type SourceConnection,
} from '#libs/contracts';
import { openSecrets } from '#libs/encryption';
import type { Permission } from '#libs/identity';
import { AppError, newId, type JsonObject } from '#libs/kernel';
import { startPostgres, startRedis } from '#libs/testing';
import { GrantService } from '../src/access/grant.service.js';
import type { Caller } from '../src/caller.js';
import { DataSourceService } from '../src/data-source/data-source.service.js';
import { RunnableService } from '../src/runnable/runnable.service.js';
import { SavedQueryService } from '../src/saved-query/saved-query.service.js';
import { SchemaRefreshService } from '../src/source-schema/schema-refresh.service.js';
import { SourceSchemaService } from '../src/source-schema/source-schema.service.js';
import { connectRedis, FakeBus, masterKeys, metadataRoot } from './metadata-harness.js';

const everything: readonly Permission[] = [
  'data_source.read',
  'data_source.manage',
  'query.run',
  'saved_query.read',
  'saved_query.run',
  'saved_query.manage',
];

export const sourceOptions = { host: '127.0.0.1', database: 'sales', user: 'reader', password: 'hunter2' };

/** The whole service before servers of its own, and for each test two workspaces that nobody has used. */
export class MetadataSuite {
  readonly sources: DataSourceService;
  readonly queries: SavedQueryService;
  readonly schemas: SourceSchemaService;
  readonly runnables: RunnableService;
  readonly grants: GrantService;
  readonly database: Database;
  caller = callerOf(newId('workspace'));
  /** Who may do the same in another workspace. */
  stranger = callerOf(newId('workspace'));
  private readonly refreshes: SchemaRefreshService;

  private constructor(
    readonly app: INestApplicationContext,
    readonly bus: FakeBus,
    private readonly closeServers: () => Promise<unknown>,
  ) {
    this.sources = app.get(DataSourceService);
    this.queries = app.get(SavedQueryService);
    this.schemas = app.get(SourceSchemaService);
    this.runnables = app.get(RunnableService);
    this.grants = app.get(GrantService);
    this.database = app.get(Database);
    this.refreshes = app.get(SchemaRefreshService);
  }

  static async start(): Promise<MetadataSuite> {
    const [server, redisServer] = await Promise.all([startPostgres(), startRedis()]);
    const redis = connectRedis(redisServer.url);
    await redis.ready('broker', 5_000);
    const bus = new FakeBus();
    const root = metadataRoot(await server.createDatabase(), bus, redis);
    const app = await NestFactory.createApplicationContext(root, { logger: false });
    return new MetadataSuite(app, bus, async () => {
      await redis.close();
      await Promise.all([server.stop(), redisServer.stop()]);
    });
  }

  /** Before each test: what the one before had begun is over, and the others answer as they do at first. */
  async renew(): Promise<void> {
    await this.schemasRead();
    this.caller = callerOf(newId('workspace'));
    this.stranger = callerOf(newId('workspace'));
    this.bus.asked.length = 0;
    this.bus.readSchema = async () => [];
    this.bus.testSource = async () => ({ latencyMs: 1, serverVersion: '18' });
  }

  /** Schemas are read behind the changes of their sources. */
  schemasRead(): Promise<void> {
    return this.refreshes.idle();
  }

  createSource(name = 'Sales', more: { options?: JsonObject; by?: Caller } = {}): Promise<DataSource> {
    const options = more.options ?? sourceOptions;
    return this.sources.create({ name, type: 'postgres', options }, more.by ?? this.caller);
  }

  createQuery(
    dataSourceId: string,
    more: { name?: string; tags?: string[]; description?: string } = {},
  ): Promise<SavedQuery> {
    const input = { name: 'Revenue', dataSourceId, sql: 'select 1', parameters: [], tags: [], ...more };
    return this.queries.create(input, this.caller);
  }

  /** What a run at this source is given to reach it. */
  async connectionOf(id: string): Promise<SourceConnection> {
    const { source } = await this.runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, this.caller);
    if (!source) throw new Error('no connection');
    return source;
  }

  /** What is told of the sources of a workspace, in order. */
  async eventsOf(workspaceId: string): Promise<DataSourceChanged[]> {
    const rows = await this.database.query<{ envelope: Buffer }[]>(
      'select envelope from metadata.outbox order by sequence',
    );
    return rows
      .map((row) => envelopeCodec.decode(row.envelope))
      .filter((envelope) => envelope.workspaceId === workspaceId && envelope.type === dataSourceChanged.type)
      .map((envelope) => dataSourceChanged.codec.decode(envelope.payload));
  }

  async stop(): Promise<void> {
    await this.schemasRead();
    await this.app.close();
    await this.closeServers();
  }
}

export function callerOf(workspaceId: string, permissions = everything): Caller {
  return {
    workspaceId,
    userId: newId('user'),
    requestId: newId('request'),
    permissions: new Set(permissions),
    groups: [],
    remainingMs: () => 10_000,
  };
}

/** The secrets of a connection, as the worker opens them. */
export function openConnection(connection: SourceConnection): JsonObject {
  if (!connection.secrets) throw new Error('no secrets');
  return openSecrets(connection.secrets, masterKeys, `${connection.workspaceId}/${connection.id}`);
}

export async function faultOf(work: Promise<unknown>): Promise<{ code: string; path: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw new Error('it was not refused as an AppError', { cause: error });
  return { code: error.code, path: error.path.join('.'), message: error.publicMessage };
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await faultOf(work)).code;
}
