import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError, toPublicErrorCode } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { callerIdOf } from '../identity/caller.js';
import { closeCodes, type SocketSession } from './socket-session.js';

/** Revocations are known within two seconds; with this a socket outlives its right by less than five. */
const checkMs = 2_000;

/** The open sockets: how many there are, whose they are, and whether those may still have them. */
@Injectable()
export class SessionsService implements OnApplicationBootstrap {
  private readonly sessions = new Set<SocketSession>();
  private readonly byCaller = new Map<string, Set<SocketSession>>();
  /** Sockets of each address that have not signed in yet. */
  private readonly strangers = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly authenticator: AuthenticatorService,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'sockets'>,
    metrics: MetricsRegistry,
  ) {
    metrics.gauge({ name: 'sockets', help: 'Open WebSockets.' }, (gauge) => gauge.set(this.sessions.size));
    metrics.gauge({ name: 'subscriptions', help: 'Operations under way on WebSockets.' }, (gauge) => {
      let operations = 0;
      for (const session of this.sessions) operations += session.operations;
      gauge.set(operations);
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => void this.check(), checkMs);
    this.timer.unref();
    this.lifecycle.onDrain('checking sockets', async () => clearTimeout(this.timer));
  }

  get isFull(): boolean {
    return this.sessions.size >= this.config.sockets.max;
  }

  get open(): readonly SocketSession[] {
    return [...this.sessions];
  }

  /** So that nobody fills the gateway with sockets that have yet to say whose they are. */
  hasTooManyStrangers(clientAddress: string): boolean {
    return (this.strangers.get(clientAddress) ?? 0) >= this.config.sockets.strangersMax;
  }

  add(session: SocketSession): void {
    this.countStranger(session, 1);
    this.sessions.add(session);
  }

  /**
   * Signs a session in.
   * @throws AppError where the credentials are not good, or where this caller has too many sockets
   */
  async signIn(session: SocketSession, authorization: string): Promise<void> {
    const caller = await this.authenticator.authenticate(authorization, session.requestId);
    const callerId = callerIdOf(caller);
    const others = this.byCaller.get(callerId) ?? new Set();
    if (others.size >= this.config.sockets.perCallerMax) {
      throw new AppError('auth.throttled', 'There are too many open connections.', { retryable: true });
    }
    // It may have been closed meanwhile.
    if (!this.sessions.has(session)) return;
    this.countStranger(session, -1);
    session.signIn(authorization, caller);
    others.add(session);
    this.byCaller.set(callerId, others);
  }

  remove(session: SocketSession): void {
    if (!this.sessions.delete(session)) return;
    if (!session.caller) this.countStranger(session, -1);
    const callerId = session.caller && callerIdOf(session.caller);
    const others = callerId === undefined ? undefined : this.byCaller.get(callerId);
    if (callerId === undefined || !others?.delete(session)) return;
    if (others.size === 0) this.byCaller.delete(callerId);
  }

  private countStranger({ clientAddress }: SocketSession, change: 1 | -1): void {
    const count = (this.strangers.get(clientAddress) ?? 0) + change;
    if (count > 0) this.strangers.set(clientAddress, count);
    else this.strangers.delete(clientAddress);
  }

  /** Proves every session's credentials anew: tokens end, API keys are exchanged again, and either may be revoked. */
  private async check(): Promise<void> {
    try {
      for (const [authorization, sessions] of this.byAuthorization()) await this.checkAll(authorization, sessions);
    } finally {
      this.timer?.refresh();
    }
  }

  private byAuthorization(): Map<string, SocketSession[]> {
    const groups = new Map<string, SocketSession[]>();
    for (const session of this.sessions) {
      const { authorization } = session;
      if (authorization === undefined) continue;
      const group = groups.get(authorization);
      if (group) group.push(session);
      else groups.set(authorization, [session]);
    }
    return groups;
  }

  private async checkAll(authorization: string, sessions: readonly SocketSession[]): Promise<void> {
    const [first] = sessions;
    if (!first) return;
    try {
      const caller = await this.authenticator.authenticate(authorization, first.requestId);
      for (const session of sessions) if (session.caller) session.signIn(authorization, caller);
    } catch (error) {
      const [code, reason] = closeReasonOf(error);
      if (code === closeCodes.tryAgainLater) this.logger.warn({ err: error }, 'sockets whose rights nobody can prove');
      for (const session of sessions) session.close(code, reason);
    }
  }
}

/** How a socket is closed whose credentials were not accepted. */
export function closeReasonOf(error: unknown): readonly [code: number, reason: string] {
  const isRefused = error instanceof AppError && toPublicErrorCode(error.code) === 'UNAUTHENTICATED';
  if (isRefused) return [closeCodes.forbidden, 'Forbidden'];
  return [closeCodes.tryAgainLater, 'Try again later'];
}
