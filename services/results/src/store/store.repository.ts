import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { resultTables, type ResultTables } from '../database/result-tables.js';

interface StoreRow {
  identity: string;
  marked: boolean;
}

/** Which directory belongs to this database. */
@Injectable()
export class StoreRepository {
  private readonly tables: ResultTables;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    this.tables = resultTables(dataSource);
  }

  /** The store's identity; the candidate where it has none yet. Of several at once all get the same. */
  async identity(candidate: string): Promise<{ identity: string; isMarked: boolean }> {
    await this.dataSource.query(`insert into ${this.tables.store} (identity) values ($1) on conflict do nothing`, [
      candidate,
    ]);
    const [row]: StoreRow[] = await this.dataSource.query(`select identity, marked from ${this.tables.store}`);
    if (!row) throw new Error('the table store is empty right after an insert');
    return { identity: row.identity, isMarked: row.marked };
  }

  async setMarked(): Promise<void> {
    await this.dataSource.query(`update ${this.tables.store} set marked = true where not marked`);
  }
}
