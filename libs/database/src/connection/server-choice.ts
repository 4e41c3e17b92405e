import type pg from 'pg';
import type { DatabaseHost, DatabaseUrl } from '#libs/config';
import { askServer } from './ask-server.js';

/** What node-postgres keeps of a connection, of which a copy with another host makes another connection. */
export type ConnectionSettings = pg.ClientConfig;

/** A connection that a choice keeps an eye on. */
interface Watched {
  readonly server: DatabaseHost;
  /** Ends it, and whatever waits for its answer, at once. */
  readonly abandon: () => void;
}

/** For so long an answer is good for the connections that are opened next. */
const choiceMs = 1_000;
/** A server that has vanished from the network ends no connection: what was asked there would wait for minutes. */
const watchMs = 3_000;

/**
 * Which of several servers connections go to: all are asked at once, and the first that will do is taken. While there are
 * connections, it is asked again and again, and those to a server that will not do any more are ended.
 */
export class ServerChoice {
  private readonly connections = new Set<Watched>();
  private chosen: { readonly server: DatabaseHost; readonly untilMs: number } | undefined;
  private asking: Promise<DatabaseHost> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly servers: readonly DatabaseHost[],
    private readonly target: NonNullable<DatabaseUrl['target']>,
  ) {}

  async choose(settings: ConnectionSettings): Promise<DatabaseHost> {
    if (this.chosen && this.chosen.untilMs > performance.now()) return this.chosen.server;
    this.asking ??= this.ask(settings).finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** Ends the connection when its server will not do any more. @returns how to stop that */
  watch(connection: Watched, settings: ConnectionSettings): () => void {
    this.connections.add(connection);
    this.timer ??= setInterval(() => void this.review(settings), watchMs).unref();
    return () => {
      this.connections.delete(connection);
      if (this.connections.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  }

  /** Next time they are asked anew. */
  forget(): void {
    this.chosen = undefined;
  }

  private async review(settings: ConnectionSettings): Promise<void> {
    this.forget();
    // While none will do, those that are there may be good again in a moment; nothing is gained by ending them.
    const server = await this.choose(settings).catch(() => undefined);
    if (server === undefined || this.target !== 'read-write') return;
    for (const connection of this.connections) if (connection.server !== server) connection.abandon();
  }

  private async ask(settings: ConnectionSettings): Promise<DatabaseHost> {
    const asked = this.servers.map(async (server) => {
      if (!(await willDo(server, this.target, settings))) throw new Error(`it is not ${this.target}`);
      return server;
    });
    try {
      const server = await Promise.any(asked);
      this.chosen = { server, untilMs: performance.now() + choiceMs };
      return server;
    } catch (error) {
      throw noneWillDo(this.servers, error);
    }
  }
}

async function willDo(
  { host, port }: DatabaseHost,
  target: NonNullable<DatabaseUrl['target']>,
  settings: ConnectionSettings,
): Promise<boolean> {
  return askServer({ ...settings, host, port }, async (client) => {
    if (target === 'any') return true;
    const { rows } = await client.query<{ writes: boolean }>(
      `select not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off' as writes`,
    );
    return rows[0]?.writes === (target === 'read-write');
  });
}

/** With the code of one of the reasons, by which others see that it is the connection. */
function noneWillDo(servers: readonly DatabaseHost[], error: unknown): Error {
  const reasons: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const words = servers.map(({ host, port }, index) => `${host}:${port} (${messageOf(reasons[index])})`);
  return Object.assign(new Error(`none of the database servers will do: ${words.join(', ')}`), {
    code: 'ECONNREFUSED',
    cause: error,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
