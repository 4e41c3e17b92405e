import { Redis, type RedisOptions } from 'ioredis';
import { backoffMs } from '#libs/kernel';
import { RedisKeys } from './redis-keys.js';

export type RedisRole = 'broker' | 'session' | 'cache';

interface RoleSettings {
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

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

/** The Redis clients of a process: one shared for each role, and one of its own for each blocking reader. */
export class RedisConnections {
  readonly keys: RedisKeys;
  private readonly shared = new Map<RedisRole, Redis>();
  private readonly all = new Set<Redis>();

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

  /** The shared client of a role; never for a blocking command, which would stall every other. */
  client(role: RedisRole): Redis {
    const known = this.shared.get(role);
    if (known) return known;
    const client = this.open(role, {
      enableAutoPipelining: true,
      socketTimeout: socketTimeoutMs,
    });
    if (this.observe) observeCommands(client, role, this.observe);
    this.shared.set(role, client);
    return client;
  }

  /** A new client for one blocking reader, who closes it. A read that outlives `blockMs` by two seconds is given up, as on a dead connection. */
  blocking(role: RedisRole, blockMs: number): Redis {
    return this.open(role, {
      blockingTimeout: blockMs + 2_000,
      socketTimeout: blockMs + socketTimeoutMs,
      commandTimeout: blockMs + 4_000,
    });
  }

  /** How another library, such as BullMQ, is to connect. */
  optionsOf(role: RedisRole): RedisOptions {
    const { url, username, password } = this.settings[role];
    if (url === undefined) throw new Error(`the ${role} role of Redis is not configured`);
    const address = new URL(url);
    const name = username ?? decodeURIComponent(address.username);
    const word = password ?? decodeURIComponent(address.password);
    return {
      host: address.hostname.replace(/^\[|\]$/g, ''),
      port: address.port === '' ? 6379 : Number(address.port),
      ...(name === '' ? {} : { username: name }),
      ...(word === '' ? {} : { password: word }),
      ...(address.pathname.length > 1 ? { db: Number(address.pathname.slice(1)) } : {}),
      ...(address.protocol === 'rediss:' ? { tls: { servername: address.hostname } } : {}),
      connectTimeout: 5_000,
      keepAlive: 10_000,
      retryStrategy: (attempt) => backoffMs(attempt, { initialMs: 50, maxMs: 2_000 }),
      reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
    };
  }

  async ping(role: RedisRole): Promise<void> {
    await this.client(role).ping();
  }

  async close(): Promise<void> {
    for (const client of this.all) client.disconnect();
    this.all.clear();
    await Promise.resolve();
  }

  private open(role: RedisRole, options: RedisOptions): Redis {
    const client = new Redis({
      maxRetriesPerRequest: 2,
      // What was on its way when a connection broke may have been done: sending it again is for whoever knows that it may.
      autoResendUnfulfilledCommands: false,
      ...this.optionsOf(role),
      ...options,
    });
    let isDown = false;
    client.on('error', (err: Error) => {
      if (isDown) return;
      isDown = true;
      this.logger.warn({ err, role }, 'Redis cannot be reached');
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

function observeCommands(client: Redis, role: RedisRole, observe: CommandObserver): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    const begun = performance.now();
    const settled = (): void => observe(role, command.name, (performance.now() - begun) / 1_000);
    // A handler on both sides, so that watching never makes an unhandled rejection of its own.
    void command.promise.then(settled, settled);
    return send(command, stream);
  };
}
