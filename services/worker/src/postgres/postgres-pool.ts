import type { OpenedSource } from '../connector/connector.js';
import { PostgresClient } from './postgres-client.js';
import { SourceTypes } from './source-types.js';

export interface PoolLimits {
  readonly connectTimeoutMs: number;
  /** How many connections of one source wait for the next run. */
  readonly idleMax: number;
  readonly idleMs: number;
  /** A connection that answered no longer ago than this is taken for alive before it has answered again. */
  readonly trustedMs: number;
}

interface Idle {
  readonly client: PostgresClient;
  readonly timer: NodeJS.Timeout;
  readonly since: number;
}

export interface IdleConnection {
  readonly client: PostgresClient;
  /** It has answered a moment ago. */
  readonly isTrusted: boolean;
}

/** A reset that takes longer is not worth the connection. */
const resetTimeoutMs = 5_000;

/**
 * The connections of one version of one source. A connection is given to one run at a time and waits for the next only
 * after DISCARD ALL: advisory locks, prepared statements, settings and temporary tables of one run never reach another.
 * One that a run has left in any doubt is dropped.
 */
export class PostgresPool {
  readonly types = new SourceTypes((use) => this.withClient(async ({ client }) => use(client)));
  private idle: Idle[] = [];
  private isClosed = false;

  constructor(
    private readonly source: OpenedSource,
    private readonly limits: PoolLimits,
  ) {}

  /** One that has waited, if there is one: it may have died meanwhile, which its first use will tell. */
  takeIdle(): IdleConnection | undefined {
    for (let idle = this.idle.pop(); idle; idle = this.idle.pop()) {
      clearTimeout(idle.timer);
      const { client, since } = idle;
      if (!client.isBroken) return { client, isTrusted: performance.now() - since < this.limits.trustedMs };
    }
    return undefined;
  }

  connect(): Promise<PostgresClient> {
    return PostgresClient.connect(this.source, this.limits.connectTimeoutMs);
  }

  /** Takes a connection back from a run that has ended well. */
  async giveBack(client: PostgresClient): Promise<void> {
    if (client.isBroken || !(await reset(client))) {
      client.destroy();
    } else if (this.isClosed || this.idle.length >= this.limits.idleMax) {
      await client.end();
    } else {
      const timer = setTimeout(() => this.expire(client), this.limits.idleMs);
      timer.unref();
      this.idle.push({ client, timer, since: performance.now() });
    }
  }

  /** For the worker's own questions to a source, outside any run. */
  async withClient<T>(use: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  get isIdle(): boolean {
    return this.idle.length === 0;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const idle = this.idle.splice(0);
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.all(idle.map(({ client }) => client.end()));
  }

  private expire(client: PostgresClient): void {
    this.idle = this.idle.filter((each) => each.client !== client);
    void client.end();
  }
}

async function reset({ client }: PostgresClient): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), resetTimeoutMs);
    timer.unref();
  });
  const work = client
    .query('rollback')
    .then(() => client.query('discard all'))
    .then(
      () => true,
      () => false,
    );
  const isReset = await Promise.race([work, timeout]);
  clearTimeout(timer);
  return isReset;
}
