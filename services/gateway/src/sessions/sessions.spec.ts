import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { AuthenticatorService } from '../identity/authenticator.service.js';
import type { Caller } from '../identity/caller.js';
import { ConnectionRoom } from '../streams/connection-room.js';
import { Session } from './session.js';
import { SessionsService } from './sessions.service.js';

const logger = AppLogger.create({ service: 'gateway', instance: 'gateway', level: 'silent' });

/** Sessions of connections whose buffers a test fills, with credentials whose proof it decides. */
class World {
  readonly proofs = new Map<string, () => Promise<Caller>>();
  readonly closes: [name: string, code: number][] = [];
  readonly sockets = { bytesMax: 50, bytesTotalMax: 100, perCallerMax: 100, strangersMax: 100, max: 100 };
  private readonly metrics = new MetricsRegistry('gateway');
  readonly service: SessionsService;

  constructor() {
    const authenticate = (authorization: string): Promise<Caller> =>
      this.proofs.get(authorization)?.() ?? Promise.resolve(callerOf(authorization));
    this.service = new SessionsService(
      // As much as is used of each.
      { authenticate } as unknown as AuthenticatorService,
      logger,
      new Lifecycle(logger),
      { sockets: this.sockets, service: { drainSeconds: 1 } } as unknown as ConstructorParameters<
        typeof SessionsService
      >[3],
      this.metrics,
    );
    this.service.onApplicationBootstrap();
  }

  add(name: string, { bytes = 0, clientAddress = '127.0.0.1' } = {}) {
    const socket = Object.assign(new EventEmitter(), { writableLength: bytes, destroyed: false });
    const room = new ConnectionRoom(socket as unknown as Socket, 10);
    const session = new Session({ close: (code) => this.closes.push([name, code]) }, room, 'request', clientAddress);
    this.service.add(session);
    return { session, socket };
  }

  async open(name: string, bytes = 0) {
    const { session, socket } = this.add(name, { bytes });
    await this.service.signIn(session, name);
    return { session, socket };
  }

  async told(name: string): Promise<number> {
    const metric = await this.metrics.registry.getSingleMetric(`sluice_gateway_${name}`)?.get();
    return metric?.values[0]?.value ?? 0;
  }
}

function callerOf(authorization: string): Caller {
  // What is looked at here is whose it is.
  return { principal: { userId: authorization }, accessToken: authorization } as Caller;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('R8: Connections whose clients do not read', () => {
  it('are closed from the fullest on while all of them together hold more than the bound, each once, and no others', async () => {
    const world = new World();
    for (const [name, bytes] of [
      ['a', 30],
      ['b', 45],
      ['c', 40],
      ['d', 20],
      ['idle', 0],
    ] as const) {
      await world.open(name, bytes);
    }
    await vi.advanceTimersByTimeAsync(2_000);
    // 135 of 100: without the fullest, 90.
    expect(world.closes).toEqual([['b', 1013]]);
    // What it was sent is still there while it closes, and nobody else is closed for that.
    await vi.advanceTimersByTimeAsync(6_000);
    expect(world.closes).toEqual([['b', 1013]]);
    expect(await world.told('sockets_shed_total')).toBe(1);
  });

  it('are closed before more is written beyond the bound of one, and soon after all of them are beyond theirs', async () => {
    const world = new World();
    const one = await world.open('one');
    // One long row, which its client has some time for.
    one.socket.writableLength = 51;
    world.service.wrote(one.session);
    await vi.advanceTimersByTimeAsync(100);
    expect(world.closes).toEqual([]);
    expect(world.service.mayWrite(one.session)).toBe(false);
    expect(world.closes).toEqual([['one', 1013]]);
    world.service.remove(one.session);
    for (const name of ['a', 'b', 'c']) {
      const { session, socket } = await world.open(name);
      socket.writableLength = 40;
      world.service.wrote(session);
    }
    await vi.advanceTimersByTimeAsync(100);
    expect(world.closes.slice(1)).toEqual([['a', 1013]]);
  });
});

describe('The proof of a connection’s credentials', () => {
  it('that is refused ends it with 4403 within five seconds, also while nobody answers for others’', async () => {
    const world = new World();
    await world.open('hanging');
    await world.open('revoked');
    world.proofs.set('hanging', () => new Promise(() => undefined));
    world.proofs.set('revoked', () => Promise.reject(new AppError('auth.token_revoked', 'No longer good.')));
    await vi.advanceTimersByTimeAsync(2_500);
    expect(world.closes).toEqual([['revoked', 4403]]);
    // Nor does it stand in the way of the next round.
    const full = await world.open('full');
    full.socket.writableLength = 51;
    await vi.advanceTimersByTimeAsync(2_500);
    expect(world.closes.slice(1)).toContainEqual(['full', 1013]);
  });

  it('that nobody can give for the moment makes its client come back', async () => {
    const world = new World();
    await world.open('unknown');
    world.proofs.set('unknown', () => Promise.reject(new AppError('bus.unavailable', 'Away.', { retryable: true })));
    await vi.advanceTimersByTimeAsync(2_500);
    expect(world.closes).toEqual([['unknown', 1013]]);
  });
});

describe('The bound on connections', () => {
  it('is told as it is now, as it may change while the gateway runs', async () => {
    const world = new World();
    expect(await world.told('sockets_max')).toBe(100);
    world.sockets.max = 50;
    expect(await world.told('sockets_max')).toBe(50);
  });
});

describe('Connections that have not signed in', () => {
  it('are limited by the network that they come from, a /64 of IPv6 as one, until they sign in or go', async () => {
    const world = new World();
    world.sockets.strangersMax = 2;
    const { session: one } = world.add('one', { clientAddress: '2001:db8:1:2::1' });
    const { session: other } = world.add('other', { clientAddress: '2001:db8:1:2:3:4:5:6' });
    expect(world.service.refusalOf('2001:db8:1:2:ffff::')).toBe(429);
    expect(world.service.refusalOf('2001:db8:1:3::1')).toBeUndefined();
    await world.service.signIn(one, 'one');
    expect(world.service.refusalOf('2001:db8:1:2:ffff::')).toBeUndefined();
    world.add('third', { clientAddress: '2001:db8:1:2::3' });
    expect(world.service.refusalOf('2001:db8:1:2::1')).toBe(429);
    world.service.remove(other);
    expect(world.service.refusalOf('2001:db8:1:2::1')).toBeUndefined();
  });
});
