import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { backoffMs, delay } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { AuthConfig } from '../auth.config.js';
import { PasswordLinkService } from '../password/password-link.service.js';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import type { MailPurpose } from './mail-purpose.js';
import { MailRepository, type ClaimedMail } from './mail.repository.js';
import { changedMail, passwordMail } from './password-mails.js';
import { isRefusedForGood, SmtpClient, type Mail } from './smtp.client.js';

const pollMs = 500;
/** Longer than the mail server may take, so that nobody sends a mail that another is sending. */
const leaseSeconds = 120;
const retry = { initialMs: 1_000, maxMs: 600_000 } as const;
const giveUpSeconds = 86_400;

/**
 * Sends the mails that are due, behind all requests. Several processes may do it at once. A mail is deleted when the server
 * has taken it: who dies between the two has it sent again, with a token of its own, so the last mail is always good.
 */
@Injectable()
export class MailSenderService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private readonly sent;

  constructor(
    private readonly mails: MailRepository,
    private readonly links: PasswordLinkService,
    private readonly smtp: SmtpClient,
    private readonly transactions: TransactionRepository,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'signIn'>,
    metrics: MetricsRegistry,
  ) {
    this.sent = metrics.counter({
      name: 'mails_total',
      help: 'Mails by outcome: sent, failed (and tried again) or given_up.',
      labels: ['outcome'],
      known: ['sent', 'failed', 'given_up'],
    });
  }

  onApplicationBootstrap(): void {
    if (this.smtp.isConfigured) this.running = this.repeat();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      const hasDone = await this.sendNext().catch((err: unknown) => {
        this.logger.warn({ err }, 'mails could not be read');
        return false;
      });
      if (!hasDone) await delay(pollMs, { signal, unref: true });
    }
  }

  /** @returns whether there was one */
  private async sendNext(): Promise<boolean> {
    const mail = await this.mails.claim(leaseSeconds);
    if (!mail) return false;
    const { userId } = mail;
    if (userId === null) {
      await this.transactions.run((transaction) =>
        this.mails.expand(transaction, mail, this.config.signIn.passwordWorkspaces),
      );
      return true;
    }
    try {
      await this.send(mail, userId);
      await this.mails.delete(mail.id);
    } catch (error) {
      await this.failed(mail, error);
    }
    return true;
  }

  private async send({ purpose }: ClaimedMail, userId: string): Promise<void> {
    const mail = await this.transactions.run((transaction) => this.write(transaction, purpose, userId));
    if (!mail) return;
    await this.smtp.send(mail);
    this.sent.inc({ outcome: 'sent' });
    this.logger.info({ userId, purpose }, 'a mail was sent');
  }

  /** A link is made for the address that it goes to: whoever changes that behind it ends the link too. */
  private async write(transaction: Transaction, purpose: MailPurpose, userId: string): Promise<Mail | undefined> {
    const recipient = await this.mails.lockRecipient(transaction, userId);
    if (!recipient || purpose === 'CHANGED') return recipient && changedMail(recipient);
    const link = await this.links.make(userId, purpose, transaction);
    return passwordMail(purpose, recipient, link, this.links.ttlSecondsOf(purpose));
  }

  private async failed({ id, userId, failures, ageSeconds }: ClaimedMail, err: unknown): Promise<void> {
    const isOver = isRefusedForGood(err) || ageSeconds > giveUpSeconds;
    this.sent.inc({ outcome: isOver ? 'given_up' : 'failed' });
    this.logger.warn({ err, userId, failures: failures + 1 }, isOver ? 'a mail was given up' : 'a mail was not sent');
    if (isOver) await this.mails.delete(id);
    else await this.mails.postpone(id, backoffMs(failures, retry));
  }
}
