import { Injectable } from '@nestjs/common';
import { Issues } from '../input/issues.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { GroupRepository } from './group.repository.js';
import { checkGroupNames } from './group-names.js';

/** The groups of a workspace. */
@Injectable()
export class GroupService {
  constructor(
    private readonly transactions: TransactionRepository,
    private readonly groups: GroupRepository,
  ) {}

  /** Makes those that nobody has named yet. */
  async ensure(workspaceId: string, names: readonly string[]): Promise<void> {
    const issues = new Issues();
    const checked = checkGroupNames(names, ['names'], issues);
    issues.throwIfAny();
    await this.transactions.run((transaction) => this.groups.ensure(transaction, workspaceId, checked));
  }
}
