import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { inTransaction, retryingLostRaces } from '#libs/database';

/** A transaction under way, as repositories take it. */
export type Transaction = EntityManager;

/** Lets a service put the steps of several repositories into one transaction, without knowing what makes it. */
@Injectable()
export class TransactionRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** `work` is done again where it lost against another transaction: it has no effect outside of the database. */
  run<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return inTransaction(this.database, work);
  }

  /** For one statement that is its own transaction: `work` may do no more than that. */
  runAlone<T>(work: (on: Transaction) => Promise<T>): Promise<T> {
    return retryingLostRaces(() => work(this.database.manager));
  }
}
