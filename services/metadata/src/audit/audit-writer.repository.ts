import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { AuditEntry } from '#libs/contracts';
import { AuditRepository, InboxRepository, inTransaction } from '#libs/database';

/** Entries of what changes nothing else here, each batch in a transaction of its own. */
@Injectable()
export class AuditWriterRepository {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly inbox: InboxRepository,
    private readonly audit: AuditRepository,
  ) {}

  /** Writes them down once, however often they are sent by this key; they are of any workspaces. */
  async once(key: string, entries: readonly AuditEntry[]): Promise<void> {
    await inTransaction(this.database, async (manager) => {
      if (!(await this.inbox.once(manager, key))) return;
      for (const ofWorkspace of Map.groupBy(entries, ({ workspaceId }) => workspaceId).values()) {
        await this.audit.addEntries(manager, ofWorkspace);
      }
    });
  }

  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.database, work);
  }
}
