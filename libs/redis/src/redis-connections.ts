import { Redis, type RedisOptions } from 'ioredis';
import { delay } from '#libs/kernel';
import { batchWrites } from './batch-writes.js';
import { connectOptions, type RoleSettings } from './connect-options.js';
import { RedisKeys } from './redis-keys.js';
import type { RedisCall } from './redis-script.js';
import { safeError } from './safe-error.js';

export type RedisRole = 'broker' | 'session' | 'cache';

export interface RedisSettings {
  readonly prefix: string;
  readonly broker: RoleSettings;
  readonly session: RoleSettings;
  readonly cache: RoleSettings;
}

interface RedisLogger {
  info(detail: Readonly<Record<string, unknown>>, message: string): void;
  warn(detail: Readonly<Record<string, unknown>>, message: string): void;
}

/** Called for each command of a shared client, with the time from call to reply. */
export type CommandObserver = (role: RedisRole, command: string, seconds: number) => void;

/** A connection that owes a reply and on which nothing comes back for this long is dead: its commands fail, and it is made anew. */
const socketTimeoutMs = 3_000;
const quitTimeoutMs = 500;

/** The Redis clients of a process: one shared for each role, and one of its own for each blocking reader. */
export class RedisConnections {
  readonly keys: RedisKeys;
  private readonly shared = new Map<RedisRole, Redis>();
  private readonly all = new Set<Redis>();
  private readonly connected = new Map<RedisRole, Promise<unknown>>();

  constructor(
    private readonly settings: RedisSettings,
    private readonly logger: RedisLogger,
    private readonly observe?: CommandObserver,
  ) {
    this.keys = new RedisKeys(settings.prefix);
  }

  has(role: RedisRole): boolean {
    return this.settings[role].url !== undefined;
  }

  /**
   * The shared client of a role; never for a blocking command, which would stall every other. Its commands fail at once
   * when the connection breaks or cannot be made: what was on its way may have been done or not, and sending it again is
   * for whoever knows that it may.
   */
  client(role: RedisRole): Redis {
    const known = this.shared.get(role);
    if (known) return known;
    const client = this.open(role, { socketTimeout: socketTimeoutMs });
    const { observe } = this;
    batchWrites(client, observe && ((command, seconds) => observe(role, command, seconds)));
    this.shared.set(role, client);
    return client;
  }

  /** A new client for one blocking reader, who closes it and makes another when it fails. */
  blocking(role: RedisRole, blockMs: number): Redis {
    const client = this.open(role, {
      // ioredis answers null for a read that outlives its BLOCK by the grace, and drops what comes after: so the reader's
      // own watchdog must come first, and this is the second.
      blockingTimeout: blockMs + socketTimeoutMs,
      blockingTimeoutGrace: socketTimeoutMs,
      commandTimeout: blockMs + socketTimeoutMs,
      socketTimeout: blockMs + socketTimeoutMs,
      retryStrategy: () => null,
    });
    batchWrites(client, undefined);
    return client;
  }

  /** Sends commands on the shared client of a role, with binary replies. */
  call(role: RedisRole): RedisCall {
    const client = this.client(role);
    return (command, ...args) => client.callBuffer(command, ...args);
  }

  /** Resolves when the shared client of a role is connected, or when `timeoutMs` have passed. @returns whether it is */
  async ready(role: RedisRole, timeoutMs: number): Promise<boolean> {
    const client = this.client(role);
    if (this.isReady(role)) return true;
    // One listener for all who wait, however many they are.
    let connected = this.connected.get(role);
    if (!connected) {
      connected = new Promise((resolve) => client.once('ready', resolve));
      this.connected.set(role, connected);
      void connected.then(() => this.connected.delete(role));
    }
    const timeout = new AbortController();
    await Promise.race([connected, delay(timeoutMs, { signal: timeout.signal })]);
    timeout.abort();
    return this.isReady(role);
  }

  /** Whether a command would be sent now. */
  isReady(role: RedisRole): boolean {
    return this.client(role).status === 'ready';
  }

  /** How another library, such as BullMQ, is to connect. */
  optionsOf(role: RedisRole): RedisOptions {
    const options = connectOptions(this.settings[role]);
    if (!options) throw new Error(`the ${role} role of Redis is not configured`);
    return options;
  }

  async ping(role: RedisRole): Promise<void> {
    await this.client(role).ping();
  }

  /** Lets what was sent be answered, for a moment, and disconnects. */
  async close(): Promise<void> {
    await Promise.all([...this.shared.values()].map(quit));
    for (const client of this.all) client.disconnect();
    this.all.clear();
    this.shared.clear();
  }

  private open(role: RedisRole, options: RedisOptions): Redis {
    const client = new Redis({
      ...this.optionsOf(role),
      // Together: a command that was sent and not answered when its connection broke is rejected then, not sent again.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
      ...options,
    });
    let isDown = false;
    client.on('error', (error: Error) => {
      if (isDown) return;
      isDown = true;
      this.logger.warn({ err: safeError(error), role }, 'Redis cannot be reached');
    });
    client.on('ready', () => {
      if (isDown) this.logger.info({ role }, 'Redis can be reached again');
      isDown = false;
    });
    client.on('end', () => this.all.delete(client));
    this.all.add(client);
    return client;
  }
}

async function quit(client: Redis): Promise<void> {
  if (client.status !== 'ready') return;
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, quitTimeoutMs);
  });
  await Promise.race([client.quit().catch(() => undefined), tooLong]);
  clearTimeout(timer);
}
