import { Injectable } from '@nestjs/common';
import type { Transaction } from '../transaction/transaction.repository.js';

/** Of several processes that start together one makes the first workspace; the others wait and find it made. */
@Injectable()
export class BootstrapLockRepository {
  async take(transaction: Transaction): Promise<void> {
    await transaction.query(`select pg_advisory_xact_lock(hashtextextended('auth.bootstrap', 0))`);
  }
}
