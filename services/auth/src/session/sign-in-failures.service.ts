import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AuditRepository } from '#libs/database';
import { AppError, asWorkOf, currentWork, type ErrorCode, type WorkOrigin } from '#libs/kernel';
import { networkOf } from '#libs/networks';
import { AppLogger } from '#libs/telemetry';
import { TransactionRepository, type Transaction } from '../transaction/transaction.repository.js';
import type { UserKey } from '../user/user.types.js';

interface Target {
  readonly type: 'user' | 'identity_provider';
  readonly id: string;
}

/** What is told as one: failures of one reason at one target. */
interface Group {
  readonly workspaceId: string;
  readonly target: Target;
  readonly reason: string;
}

interface Failures extends Group {
  /** Of the first; undefined where they came from too many networks to tell each by itself. */
  readonly work: WorkOrigin | undefined;
  /** Where it is more than that one's address. */
  readonly network: string | undefined;
  attempts: number;
  /** How often it could not be written. */
  refusals: number;
}

const flushMs = 1_000;
/** Anybody can send what gets these, as often as he likes: nobody has begun to sign in. */
const withoutSignIn: ReadonlySet<string> = new Set<ErrorCode>(['sso.state_wrong', 'sso.request_invalid']);
/** Beyond it they are counted in the metrics alone: whoever sends that many wants to fill something. */
const pendingMax = 1_000;
/** Of one reason at one target in a second. A stranger may have thousands of networks of IPv6: what comes from more is one entry. */
const networksMax = 10;
/** Some minutes: longer than most outages. */
const refusalsMax = 300;

/**
 * Tells the audit log of sign-ins that failed, by password of known users alone: where an address is nobody's there is no
 * workspace to tell, and it may be a password that was typed in the wrong place. Of those at an identity provider it tells
 * which provider it was, as nobody has proven who it was. Once a second, so that neither the time of an answer says
 * whether there is such a user, nor a flood of attempts becomes one of entries; a crash loses what was not written by then.
 */
@Injectable()
export class SignInFailures implements OnModuleInit, OnModuleDestroy {
  private pending = new Map<string, Failures>();
  /** How many networks there are of each reason at each target in this second. */
  private networks = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> | undefined;

  constructor(
    private readonly transactions: TransactionRepository,
    private readonly audit: AuditRepository,
    private readonly logger: AppLogger,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => {
      this.flushing ??= this.flush().finally(() => (this.flushing = undefined));
    }, flushMs);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.flushing;
    await this.flush();
  }

  /** @param reason its class, one word */
  note({ workspaceId, id }: UserKey, reason: string): void {
    this.count({ workspaceId, target: { type: 'user', id }, reason });
  }

  /** Only what is refused: a fault of ours is in the log. */
  noteAtProvider({ workspaceId, id }: UserKey, error: unknown): void {
    if (!(error instanceof AppError) || withoutSignIn.has(error.code)) return;
    const [, reason = error.code] = error.code.split('.');
    this.count({ workspaceId, target: { type: 'identity_provider', id }, reason: reason.toUpperCase() });
  }

  private count(group: Group): void {
    const work = currentWork();
    const { clientAddress } = work ?? {};
    // Who has a network of addresses makes no more of them than who has one.
    const network = clientAddress && networkOf(clientAddress);
    const of = `${group.target.id} ${group.reason}`;
    const key = `${of} ${network ?? ''}`;
    if (this.pending.has(key) || this.isAmongFirst(of)) {
      this.add(key, { ...group, work, network: network === clientAddress ? undefined : network });
    } else this.add(`${of} others`, { ...group, work: undefined, network: 'others' });
  }

  private isAmongFirst(of: string): boolean {
    const count = (this.networks.get(of) ?? 0) + 1;
    this.networks.set(of, count);
    return count <= networksMax;
  }

  private add(key: string, noted: Omit<Failures, 'attempts' | 'refusals'>): void {
    const known = this.pending.get(key);
    if (known) known.attempts += 1;
    else if (this.pending.size < pendingMax) this.pending.set(key, { ...noted, attempts: 1, refusals: 0 });
  }

  private async flush(): Promise<void> {
    const failures = this.pending;
    this.pending = new Map();
    this.networks = new Map();
    if (failures.size === 0) return;
    try {
      const unwritten = await this.transactions.run((transaction) => this.writeAll(transaction, failures));
      this.keep(unwritten);
    } catch (err) {
      this.logger.error({ err, count: failures.size }, 'failed sign-ins could not be told to the audit log');
      this.keep(failures);
    }
  }

  /** For the next second, together with those that come meanwhile. */
  private keep(failures: Iterable<readonly [string, Failures]>): void {
    for (const [key, noted] of failures) {
      noted.refusals += 1;
      const since = this.pending.get(key);
      if (since) since.attempts += noted.attempts;
      else if (this.pending.size < pendingMax && noted.refusals < refusalsMax) this.pending.set(key, noted);
    }
  }

  /** @returns those that were refused by themselves, which keep no other from being written */
  private async writeAll(
    transaction: Transaction,
    failures: ReadonlyMap<string, Failures>,
  ): Promise<readonly (readonly [string, Failures])[]> {
    const unwritten: (readonly [string, Failures])[] = [];
    for (const [key, noted] of failures) {
      try {
        // Within a savepoint of its own.
        await transaction.transaction((inner) => this.write(inner, noted));
      } catch (err) {
        this.logger.error({ err, targetId: noted.target.id }, 'a failed sign-in could not be told to the audit log');
        unwritten.push([key, noted]);
      }
    }
    return unwritten;
  }

  private async write(
    transaction: Transaction,
    { workspaceId, target, reason, work, network, attempts }: Failures,
  ): Promise<void> {
    const record = {
      action: 'session.sign_in_failed',
      target,
      workspaceId,
      actor: { kind: 'ANONYMOUS', id: '' },
      after: { attempts, ...(network === undefined ? {} : { network }) },
      failure: reason,
    } as const;
    const add = (): Promise<void> => this.audit.add(transaction, record);
    await (work ? asWorkOf(work, add) : add());
  }
}
