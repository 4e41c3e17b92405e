import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError, delay, toPublicErrorCode } from '#libs/kernel';
import { networkOf } from '#libs/networks';
import { Lifecycle } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { callerIdOf } from '../identity/caller.js';
import { closeCodes, type Session } from './session.js';

/** Revocations are known within two seconds; with this a socket outlives its right by less than five. */
const checkMs = 2_000;
/** What fills the buffers of many at once is looked at this soon. */
const shedMs = 100;

/** Connections are closed over this long when the gateway stops, so that their clients do not all come back at once. */
const spreadMsMax = 3_000;

/**
 * The connections that stay open, WebSockets and event streams alike: how many there are, whose they are, whether those
 * may still have them, and what waits in their buffers.
 */
@Injectable()
export class SessionsService implements OnApplicationBootstrap {
  private readonly sessions = new Set<Session>();
  private readonly byCaller = new Map<string, Set<Session>>();
  /** Sockets of each network that have not signed in yet. */
  private readonly strangers = new Map<string, number>();
  /** Credentials that are being proven anew. */
  private readonly underWay = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private shedTimer: NodeJS.Timeout | undefined;
  private isDraining = false;
  private readonly shed;

  constructor(
    private readonly authenticator: AuthenticatorService,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'sockets' | 'service'>,
    metrics: MetricsRegistry,
  ) {
    this.shed = metrics.counter({
      name: 'sockets_shed_total',
      help: 'Connections that were closed because their clients took too little of what was sent.',
    });
    metrics.gauge({ name: 'sockets', help: 'Open WebSockets and event streams.' }, (gauge) =>
      gauge.set(this.sessions.size),
    );
    // A live setting.
    metrics.gauge({ name: 'sockets_max', help: 'How many this process takes.' }, (gauge) =>
      gauge.set(config.sockets.max),
    );
    metrics.gauge({ name: 'subscriptions', help: 'Operations under way on WebSockets and event streams.' }, (gauge) => {
      let operations = 0;
      for (const session of this.sessions) operations += session.operations;
      gauge.set(operations);
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => this.check(), checkMs);
    this.timer.unref();
    this.lifecycle.onDrain('connections', () => this.drain());
  }

  /** Whether another connection may be opened from there; else the HTTP status that says why not. */
  refusalOf(clientAddress: string): 503 | 429 | undefined {
    if (this.isDraining || this.sessions.size >= this.config.sockets.max) return 503;
    if (this.hasTooManyStrangers(clientAddress)) return 429;
    return undefined;
  }

  /** So that nobody fills the gateway with sockets that have yet to say whose they are. */
  private hasTooManyStrangers(clientAddress: string): boolean {
    return (this.strangers.get(networkOf(clientAddress)) ?? 0) >= this.config.sockets.strangersMax;
  }

  add(session: Session): void {
    this.countStranger(session, 1);
    this.sessions.add(session);
  }

  /**
   * Signs a session in.
   * @throws AppError where the credentials are not good, or where this caller has too many sockets
   */
  async signIn(session: Session, authorization: string): Promise<void> {
    const caller = await this.authenticator.authenticate(authorization, session.requestId, session.clientAddress);
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

  /**
   * Whether something more may be written to it. One who asks for much and reads nothing is closed before another answer is
   * added to what is beyond the bound; the next check may come too late.
   */
  mayWrite(session: Session): boolean {
    if (session.room.bufferedBytes > this.config.sockets.bytesMax) this.shedOne(session);
    return !session.isClosing;
  }

  /** Something has been written to it: many whose buffers fill at once are looked at before the next check. */
  wrote(session: Session): void {
    if (session.room.isFree || this.shedTimer) return;
    this.shedTimer = setTimeout(() => {
      this.shedTimer = undefined;
      // A long row has longer to be taken in.
      this.shedSlow(Number.POSITIVE_INFINITY);
    }, shedMs).unref();
  }

  remove(session: Session): void {
    if (!this.sessions.delete(session)) return;
    if (!session.caller) this.countStranger(session, -1);
    const callerId = session.caller && callerIdOf(session.caller);
    const others = callerId === undefined ? undefined : this.byCaller.get(callerId);
    if (callerId === undefined || !others?.delete(session)) return;
    if (others.size === 0) this.byCaller.delete(callerId);
  }

  private countStranger({ clientAddress }: Session, change: 1 | -1): void {
    const network = networkOf(clientAddress);
    const count = (this.strangers.get(network) ?? 0) + change;
    if (count > 0) this.strangers.set(network, count);
    else this.strangers.delete(network);
  }

  /**
   * Proves every session's credentials anew: tokens end, API keys are exchanged again, and either may be revoked. Nobody
   * waits for others, whose proof may take until a service is back.
   */
  private check(): void {
    this.shedSlow(this.config.sockets.bytesMax);
    for (const [authorization, sessions] of this.byAuthorization()) {
      if (!this.underWay.has(authorization)) void this.checkAll(authorization, sessions);
    }
    if (!this.isDraining) this.timer?.refresh();
  }

  /** Takes no more connections and closes those there are, spread over some seconds; what has been sent still arrives. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    clearTimeout(this.timer);
    const spreadMs = Math.min(spreadMsMax, this.config.service.drainSeconds * 250);
    await Promise.all(
      [...this.sessions].map(async (session) => {
        await delay(Math.random() * spreadMs);
        session.close(closeCodes.serviceRestart, 'Service restart');
      }),
    );
  }

  /** Whose buffer is beyond its bound, or the fullest while all of them together are, has to come back and go on. */
  private shedSlow(bytesMax: number): void {
    const { bytesTotalMax } = this.config.sockets;
    const all = [...this.sessions].map((session) => ({ session, bytes: session.room.bufferedBytes }));
    const filled = all.filter(({ bytes }) => bytes > 0);
    let total = filled.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { session, bytes } of filled.sort((one, other) => other.bytes - one.bytes)) {
      if (bytes <= bytesMax && total <= bytesTotalMax) return;
      this.shedOne(session);
      total -= bytes;
    }
  }

  private shedOne(session: Session): void {
    if (session.isClosing) return;
    session.close(closeCodes.tryAgainLater, 'Too slow');
    this.shed.inc();
  }

  private byAuthorization(): Map<string, Session[]> {
    const groups = new Map<string, Session[]>();
    for (const session of this.sessions) {
      const { authorization } = session;
      if (authorization === undefined) continue;
      const group = groups.get(authorization);
      if (group) group.push(session);
      else groups.set(authorization, [session]);
    }
    return groups;
  }

  private async checkAll(authorization: string, sessions: readonly Session[]): Promise<void> {
    const [first] = sessions;
    if (!first) return;
    this.underWay.add(authorization);
    try {
      const caller = await this.authenticator.authenticate(authorization, first.requestId);
      for (const session of sessions) if (session.caller) session.signIn(authorization, caller);
    } catch (error) {
      const [code, reason] = closeReasonOf(error);
      if (code === closeCodes.tryAgainLater) this.logger.warn({ err: error }, 'sockets whose rights nobody can prove');
      for (const session of sessions) session.close(code, reason);
    } finally {
      this.underWay.delete(authorization);
    }
  }
}

/** Bytes of a reason: RFC 6455 gives a close frame 125, of which the code takes two. */
const reasonBytesMax = 123;

/** How a socket is closed whose credentials were not accepted. A client shows the reason to whoever writes it, as HTTP would the message. */
export function closeReasonOf(error: unknown): readonly [code: number, reason: string] {
  if (error instanceof AppError && toPublicErrorCode(error.code) === 'UNAUTHENTICATED') {
    const { publicMessage } = error;
    return [closeCodes.forbidden, Buffer.byteLength(publicMessage) <= reasonBytesMax ? publicMessage : 'Forbidden'];
  }
  return [closeCodes.tryAgainLater, 'Try again later'];
}
