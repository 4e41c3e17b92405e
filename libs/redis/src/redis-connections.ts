import { Cluster, Command, Redis, type RedisOptions } from 'ioredis';
import { delay } from '#libs/kernel';
import { batchWrites } from './batch-writes.js';
import { connectOptions, type ConnectOptions, type RoleSettings, type ServerOptions } from './connect-options.js';
import { areSentinelsAway, failWhileSentinelsAway } from './fail-while-sentinels-away.js';
import { openCluster } from './open-cluster.js';
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

/** One server, or a Redis Cluster: the same commands, as long as all keys of one lie on one slot. */
export type RedisClient = Redis | Cluster;

/** Called for each command of a shared client, with the time from call to reply. */
export type CommandObserver = (role: RedisRole, command: string, seconds: number) => void;

/** A connection that owes a reply and on which nothing comes back for this long is dead: its commands fail, and it is made anew. */
const socketTimeoutMs = 3_000;
const quitTimeoutMs = 500;

/** The Redis clients of a process: one shared for each role, and one of its own for each blocking reader. */
export class RedisConnections {
  readonly keys: RedisKeys;
  private readonly shared = new Map<RedisRole, RedisClient>();
  private readonly all = new Set<RedisClient>();
  private readonly connected = new Map<RedisRole, Promise<unknown>>();
  private readonly faults = new Map<RedisRole, string>();

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
  client(role: RedisRole): RedisClient {
    const known = this.shared.get(role);
    if (known) return known;
    const client = this.open(role, { socketTimeout: socketTimeoutMs });
    const { observe } = this;
    const observeRole = observe && ((command: string, seconds: number) => observe(role, command, seconds));
    if (client instanceof Cluster) client.on('+node', (node: Redis) => batchWrites(node, observeRole));
    else batchWrites(client, observeRole);
    this.shared.set(role, client);
    return client;
  }

  /**
   * A new client for one blocking reader of keys that lie together, who closes it and makes another when it fails: in a
   * Cluster it leads to the node that has them now, and fails when they move.
   */
  async blocking(role: RedisRole, blockMs: number, key: string): Promise<Redis> {
    const options = {
      // ioredis answers null for a read that outlives its BLOCK by the grace, and drops what comes after: so the reader's
      // own watchdog must come first, and this is the second.
      blockingTimeout: blockMs + socketTimeoutMs,
      blockingTimeoutGrace: socketTimeoutMs,
      commandTimeout: blockMs + socketTimeoutMs,
      socketTimeout: blockMs + socketTimeoutMs,
      retryStrategy: () => null,
    };
    const { options: toServer } = this.targetOf(role);
    const shared = this.client(role);
    if (shared instanceof Cluster) await this.ready(role, blockMs);
    const node = shared instanceof Cluster ? await ownerOf(shared, key) : {};
    const client = new Redis({ ...toServer, ...node, ...failFast, ...options });
    this.watch(role, client);
    batchWrites(client, undefined);
    return client;
  }

  /** The client for other commands to the server that a blocking reader waits at; undefined where it is not known any more. */
  beside(role: RedisRole, blocking: Redis): Redis | undefined {
    const shared = this.client(role);
    if (!(shared instanceof Cluster)) return shared;
    const { host, port } = blocking.options;
    return shared.nodes('master').find(({ options }) => options.host === host && options.port === port);
  }

  /** Puts keys together that one command may name: all of them on one server, those of one slot in a Cluster. */
  together(role: RedisRole, keys: readonly string[]): string[][] {
    if (!(this.client(role) instanceof Cluster)) return [[...keys]];
    return [...Map.groupBy(keys, slotOf).values()];
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

  /**
   * Calls the listener whenever the shared client of a role has a new connection, or a Cluster another master, to whom the
   * connection may be an old one: what was sent before may be lost.
   */
  onLoss(role: RedisRole, listener: () => void): void {
    const client = this.client(role);
    if (!(client instanceof Cluster)) return void client.on('ready', listener);
    const watchNode = (node: Redis): void => void node.on('ready', listener);
    for (const node of client.nodes('all')) watchNode(node);
    client.on('+node', watchNode);
    let known = mastersOf(client);
    client.on('refresh', () => {
      const masters = mastersOf(client);
      if (masters !== known) listener();
      known = masters;
    });
  }

  /** Whether a command would be sent now. */
  isReady(role: RedisRole): boolean {
    return this.client(role).status === 'ready';
  }

  /** Why a role is away, by what its last connection failed with: commands fail with words of the library's own settings. */
  whyAway(role: RedisRole): string {
    return this.faults.get(role) ?? 'no answer to a connection yet, or it has ended';
  }

  /** How another library, such as BullMQ, is to connect: by options, and to a Cluster by a client that is closed with all others. */
  connectionFor(role: RedisRole, options: OtherOptions): ServerOptions | Cluster {
    const { clusterNodes, options: toServer } = this.targetOf(role);
    if (!clusterNodes) return { ...toServer, ...options };
    const cluster = openCluster(clusterNodes, { ...toServer, ...options });
    this.watch(role, cluster);
    return cluster;
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

  private targetOf(role: RedisRole): ConnectOptions {
    const target = connectOptions(this.settings[role]);
    if (!target) throw new Error(`the ${role} role of Redis is not configured`);
    return target;
  }

  private open(role: RedisRole, options: RedisOptions): RedisClient {
    const { clusterNodes, options: toServer } = this.targetOf(role);
    const all = { ...toServer, ...failFast, ...options };
    const client = clusterNodes ? openCluster(clusterNodes, all) : new Redis(all);
    if (client instanceof Redis && toServer.sentinels) failWhileSentinelsAway(client);
    this.watch(role, client);
    return client;
  }

  private watch(role: RedisRole, client: RedisClient): void {
    let isDown = false;
    const wentDown = (error: Error): void => {
      const told = toldOf(error);
      // What a connection failed with is told before that it has ended.
      if (told !== connectionEnded || !this.faults.has(role)) this.faults.set(role, told);
      if (isDown) return;
      isDown = true;
      this.logger.warn({ err: safeError(error), role }, 'Redis cannot be reached');
    };
    client.on('error', wentDown);
    if (client instanceof Cluster) client.on('node error', wentDown);
    client.on('ready', () => {
      if (isDown) this.logger.info({ role }, 'Redis can be reached again');
      isDown = false;
      this.faults.delete(role);
    });
    client.on('end', () => this.all.delete(client));
    this.all.add(client);
  }
}

/** What a user of `connectionFor` sets beside how the server is reached. */
type OtherOptions = Pick<ServerOptions, 'enableOfflineQueue' | 'maxRetriesPerRequest' | 'commandTimeout'>;

/** Together: a command that was sent and not answered when its connection broke is rejected then, not sent again. */
const failFast: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

/** ioredis' words where a connection is not made again, whatever it failed with. */
const connectionEnded = 'Connection is closed.';

/**
 * With no arguments of a command; where a name has several addresses and none answers, Node.js says nothing but a code; of the nodes of
 * a Cluster and of sentinels what ioredis says of all of them names nobody.
 */
function toldOf(error: Error): string {
  if (areSentinelsAway(error)) return 'none of the sentinels can be reached, or knows the primary';
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) {
    const ofNode = toldOf(error.lastNodeError);
    return ofNode === connectionEnded ? 'none of its nodes can be reached' : ofNode;
  }
  return error.message === '' && 'code' in error
    ? String(error.code)
    : error.message.replace(/, with args beginning with:.*/s, '');
}

/** The slot of a Cluster that a key is on. */
function slotOf(key: string): number {
  return Number(new Command('get', [key]).getSlot());
}

/** By what a Cluster has answered last: a master that is gone is among them until another has its place. */
function mastersOf(cluster: Cluster): string {
  const addresses = cluster.nodes('master').map(({ options }) => `${options.host}:${options.port}`);
  return addresses.sort().join(' ');
}

/** Where the slot of a key is now; asked anew each time, as a reader comes here when it has lost its node. */
async function ownerOf(cluster: Cluster, key: string): Promise<{ host: string; port: number }> {
  await new Promise<void>((resolve) => cluster.refreshSlotsCache(() => resolve()));
  const [node] = cluster.slots[slotOf(key)] ?? [];
  const [, host, port] = /^(.+):(\d+)$/.exec(node ?? '') ?? [];
  if (host === undefined) throw new Error('no node of the Redis Cluster has the slot that is to be read');
  return { host, port: Number(port) };
}

async function quit(client: RedisClient): Promise<void> {
  if (client.status !== 'ready') return;
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, quitTimeoutMs);
  });
  await Promise.race([client.quit().catch(() => undefined), tooLong]);
  clearTimeout(timer);
}
