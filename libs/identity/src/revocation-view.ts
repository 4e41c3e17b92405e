import type { Revocation } from '#libs/contracts';
import { AppError, backoffMs, delay, type Clock } from '#libs/kernel';
import type { AppLogger } from '#libs/telemetry';
import type { IdentityAuthority } from './identity-authority.client.js';
import type { Principal } from './principal.js';

const pollMs = 2_000;
/** Older than this the view does not know enough to let anybody in. */
const ageMaxMs = 30_000;
/** All is read anew now and then, so that whatever went wrong with a revision is put right. */
const rereadMs = 300_000;

/**
 * Which tokens are no longer good though their time has not come, as auth has it in PostgreSQL. It is pulled, so a
 * revocation never hangs on a message, and it fails closed.
 */
export class RevocationView {
  private revision = 0;
  private notBeforeMs = new Map<string, number>();
  private loadedAtMs = Number.NEGATIVE_INFINITY;
  private rereadAtMs = Number.NEGATIVE_INFINITY;
  /** From the steady clock of this process to the time of auth's database. */
  private offsetMs: number;
  private asking: Promise<void> | undefined;
  private readonly stopped = new AbortController();

  constructor(
    private readonly authority: IdentityAuthority,
    private readonly clock: Clock,
    private readonly logger: AppLogger,
  ) {
    this.offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Begins to poll, until `stop`. */
  start(): void {
    void this.poll();
  }

  stop(): void {
    this.stopped.abort();
  }

  get ageMs(): number {
    return this.clock.monotonicMs() - this.loadedAtMs;
  }

  get isFresh(): boolean {
    return this.ageMs <= ageMaxMs;
  }

  /** The time of auth's database: a clock of this machine that is wrong, or is set, lets nobody in and keeps nobody out. */
  get nowMs(): number {
    return this.clock.monotonicMs() + this.offsetMs;
  }

  /** Resolves when the view is fresh. @throws AppError `bus.unavailable` where it cannot be made so */
  async ensureFresh(): Promise<void> {
    if (this.isFresh) return;
    try {
      await this.refresh();
    } catch (cause) {
      throw new AppError('bus.unavailable', 'Nobody can say at the moment if the credentials are good.', {
        retryable: true,
        internalMessage: 'the revocations could not be read',
        cause,
      });
    }
  }

  /** A guest goes with the service account and the key that have let it in, and with all of their guests. */
  isRevoked({ userId, sessionId, apiKeyId, guest, issuedAt }: Principal): boolean {
    const issuedAtMs = issuedAt.getTime();
    const isLate = (subject: Revocation['subject'], id: string | undefined): boolean =>
      id !== undefined && issuedAtMs < (this.notBeforeMs.get(keyOf(subject, id)) ?? Number.NEGATIVE_INFINITY);
    return (
      isLate('USER', userId) ||
      isLate('SESSION', sessionId) ||
      isLate('API_KEY', apiKeyId) ||
      isLate('USER', guest?.mintedById) ||
      isLate('GUESTS_OF', guest?.mintedById)
    );
  }

  private refresh(): Promise<void> {
    this.asking ??= this.fetch().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async fetch(): Promise<void> {
    const begunMs = this.clock.monotonicMs();
    const isReread = begunMs - this.rereadAtMs >= rereadMs;
    const { revision, revocations, now } = await this.authority.revocations(isReread ? 0 : this.revision);
    const known = isReread ? new Map<string, number>() : this.notBeforeMs;
    for (const { subject, subjectId, notBefore } of revocations) {
      const key = keyOf(subject, subjectId);
      known.set(key, Math.max(known.get(key) ?? 0, notBefore?.getTime() ?? 0));
    }
    this.notBeforeMs = known;
    this.revision = revision;
    if (isReread) this.rereadAtMs = begunMs;
    // The answer holds what was committed when it was made, which was not before it was asked for.
    this.loadedAtMs = begunMs;
    const halfWayMs = (this.clock.monotonicMs() - begunMs) / 2;
    if (now) this.offsetMs = now.getTime() - (this.clock.monotonicMs() - halfWayMs);
  }

  private async poll(): Promise<void> {
    const { signal } = this.stopped;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.refresh();
        failures = 0;
        await delay(pollMs, { signal, unref: true });
      } catch (err) {
        if (failures > 2) this.logger.warn({ err, ageMs: this.ageMs }, 'the revocations could not be read');
        await delay(backoffMs(failures, { initialMs: 200, maxMs: pollMs }), { signal, unref: true });
        failures += 1;
      }
    }
  }
}

function keyOf(subject: Revocation['subject'], id: string): string {
  return `${subject}:${id}`;
}
