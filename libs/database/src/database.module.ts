import { Global, Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { CONFIG } from '#libs/config';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import {
  dataSourceOptions,
  migrationOptions,
  replicaOptions,
  type AnyClass,
  type DatabaseSettings,
} from './connection/data-source-options.js';
import { AuditRepository } from './audit/audit.repository.js';
import { DatabaseState } from './database-state.js';
import { openDataSource } from './connection/open-data-source.js';
import { measureOutbox } from './outbox/outbox-metrics.js';
import { measurePool } from './connection/pool-metrics.js';
import { InboxEntity } from './inbox/inbox.entity.js';
import { InboxRepository } from './inbox/inbox.repository.js';
import { MessageTablesPurge } from './message-tables-purge.js';
import { OutboxEntity } from './outbox/outbox.entity.js';
import { OutboxRepository } from './outbox/outbox.repository.js';
import { OutboxStore } from './outbox/outbox.store.js';
import { ReplicaReader, type ReadPlace } from './replica/replica-reader.js';

@Global()
@Module({})
class DatabaseModule {}

interface DatabaseModuleOptions {
  entities: readonly AnyClass[];
  /** All of the service's migrations; the first calls createMessageTables. */
  migrations: readonly AnyClass[];
}

/**
 * The service's PostgreSQL: connected and migrated before anything else of the service starts, with its pool measured and
 * its health checked. Gives TypeORM's DataSource, ReplicaReader, OutboxRepository, OutboxStore and InboxRepository to every
 * module.
 */
export function databaseModule({ entities, migrations }: DatabaseModuleOptions): DynamicModule {
  let settings: DatabaseSettings | undefined;
  return {
    module: DatabaseModule,
    imports: [
      TypeOrmModule.forRootAsync({
        inject: [CONFIG, AppLogger, MetricsRegistry],
        useFactory: (config: WithDatabase, logger: AppLogger, metrics: MetricsRegistry) => {
          settings = config.database;
          const all = [...entities, OutboxEntity, InboxEntity];
          return {
            ...dataSourceOptions({ service: metrics.service, settings, entities: all, migrations, logger }),
            // Waiting for a database that is not there yet is openDataSource's part.
            toRetry: () => false,
          };
        },
        dataSourceFactory: (options) => open(options, settings),
      }),
    ],
    providers: [
      {
        provide: OutboxRepository,
        inject: [MetricsRegistry],
        useFactory: (metrics: MetricsRegistry) => new OutboxRepository(metrics.service),
      },
      {
        provide: AuditRepository,
        inject: [OutboxRepository, MetricsRegistry],
        useFactory: (outbox: OutboxRepository, metrics: MetricsRegistry) =>
          new AuditRepository(outbox, metrics.service),
      },
      {
        provide: OutboxStore,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => new OutboxStore(dataSource),
      },
      {
        provide: DatabaseState,
        inject: [DataSource, OutboxStore, MetricsRegistry],
        useFactory: (dataSource: DataSource, outbox: OutboxStore, metrics: MetricsRegistry) =>
          new DatabaseState(dataSource, outbox, metrics.service),
      },
      InboxRepository,
      {
        provide: ReplicaReader,
        inject: [DataSource, CONFIG, MetricsRegistry],
        useFactory: openReplica,
      },
      {
        provide: MessageTablesPurge,
        inject: [DataSource, OutboxStore, InboxRepository, AppLogger],
        useFactory: (...parts: ConstructorParameters<typeof MessageTablesPurge>) => new MessageTablesPurge(...parts),
      },
      {
        provide: observed,
        inject: [DataSource, OutboxStore, MetricsRegistry, HealthRegistry],
        useFactory: observe,
      },
    ],
    exports: [AuditRepository, DatabaseState, OutboxRepository, OutboxStore, InboxRepository, ReplicaReader],
  };
}

interface WithDatabase {
  readonly database: DatabaseSettings;
}

const observed = Symbol('observed');

function observe(dataSource: DataSource, outbox: OutboxStore, metrics: MetricsRegistry, health: HealthRegistry): true {
  measurePool(dataSource, metrics);
  measureOutbox(outbox, metrics);
  health.register('database', async () => {
    await dataSource.query('select 1');
  });
  return true;
}

async function open(options?: DataSourceOptions, settings?: DatabaseSettings): Promise<DataSource> {
  if (options?.type !== 'postgres' || !settings) throw new Error('the data source is not PostgreSQL');
  return openDataSource(options, migrationOptions(options, settings));
}

function openReplica(primary: DataSource, { database }: WithDatabase, metrics: MetricsRegistry): ReplicaReader {
  const { options } = primary;
  if (options.type !== 'postgres') throw new Error('the data source is not PostgreSQL');
  const replica = replicaOptions(options, database);
  if (!replica) return new ReplicaReader(primary, undefined);
  const reads = metrics.counter({
    name: 'database_replica_reads_total',
    help: 'Lists by where they were read: replica, or the primary as the replica was behind or has failed.',
    labels: ['place'],
  });
  return new ReplicaReader(primary, replica, (place: ReadPlace) => reads.inc({ place }));
}
