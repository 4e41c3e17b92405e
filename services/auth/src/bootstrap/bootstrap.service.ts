import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AuditRepository } from '#libs/database';
import { newDataKey } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { AuthConfig } from '../auth.config.js';
import { normalizeEmail } from '../input/email.js';
import { Issues } from '../input/issues.js';
import { checkNewPassword } from '../input/password.js';
import { PasswordService } from '../password/password.service.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { auditedNewUser } from '../user/audited-user.js';
import { UserRepository } from '../user/user.repository.js';
import { WorkspaceRepository } from '../workspace/workspace.repository.js';
import { BootstrapLockRepository } from './bootstrap-lock.repository.js';

interface First {
  readonly workspace: string;
  readonly email: string;
  readonly password: string;
}

/** Makes the first workspace and its administrator, from settings, where there is no user at all. */
@Injectable()
export class BootstrapService implements OnModuleInit {
  constructor(
    private readonly users: UserRepository,
    private readonly workspaces: WorkspaceRepository,
    private readonly passwords: PasswordService,
    private readonly transactions: TransactionRepository,
    private readonly lock: BootstrapLockRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'bootstrap' | 'masterKeys'>,
  ) {}

  async onModuleInit(): Promise<void> {
    const first = this.wanted();
    if (!first) return;
    const workspace = await this.transactions.run(async (transaction) => {
      await this.lock.take(transaction);
      if (!(await this.users.isEmpty(transaction))) return undefined;
      const id = newId('workspace');
      const { workspace: slug, email, password } = first;
      const passwordHash = await this.passwords.hash(password);
      await this.workspaces.insert(transaction, { id, slug, name: slug }, newDataKey(this.config.masterKeys, id));
      const administrator = await this.users.insert(transaction, id, {
        ...{ email, passwordHash, name: 'Administrator', roleNames: ['admin'], groupNames: [], attributes: {} },
      });
      const target = { type: 'workspace', id, name: slug };
      const made = { action: 'workspace.created', target, workspaceId: id, after: { slug } };
      await this.audit.add(transaction, made, auditedNewUser(administrator));
      return slug;
    });
    if (workspace !== undefined) this.logger.info({ workspace, email: first.email }, 'the first workspace was made');
  }

  /** @throws Error where some of the settings are given and not all of them, or one is not good */
  private wanted(): First | undefined {
    const { workspace, email: address, password } = this.config.bootstrap;
    const given = [workspace, address, password].filter((value) => value !== undefined);
    if (given.length === 0) return undefined;
    if (workspace === undefined || address === undefined || password === undefined) {
      throw new Error('SLUICE_AUTH_BOOTSTRAP_WORKSPACE, _EMAIL and _PASSWORD go together: set all of them or none');
    }
    const email = normalizeEmail(address);
    if (email === undefined) throw new Error('SLUICE_AUTH_BOOTSTRAP_EMAIL is no email address');
    const issues = new Issues();
    checkNewPassword(password, ['SLUICE_AUTH_BOOTSTRAP_PASSWORD'], issues);
    issues.throwIfAny();
    return { workspace, email, password };
  }
}
