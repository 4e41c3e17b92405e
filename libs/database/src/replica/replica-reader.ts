import type pg from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { delay } from '#libs/kernel';
import type { PostgresOptions } from '../connection/data-source-options.js';
import { connectOnce } from '../connection/open-data-source.js';
import { postgresCode } from '../postgres-errors.js';

/** How long a reader waits for a standby that is behind. */
const patienceMs = 50;
/**
 * A standby that has vanished from the network ends no connection and answers nothing: it is given up after this long, where it
 * is asked how far it is, and with what it is asked for. Together it is less than a request waits for its answer.
 */
const silenceMs = { asked: 1_000, working: 8_000 } as const;
const lookMs = 10;
/** For so long a standby is not asked that was behind, or has failed. */
const restMs = { behind: 500, failed: 5_000 } as const;

/** Where a read was answered; `behind` and `failed` were answered by the primary. */
export type ReadPlace = 'replica' | 'behind' | 'failed';

/** How far the primary has written. Positions of two timelines say nothing of each other: each failover begins another one. */
interface Written {
  readonly lsn: string;
  readonly timeline: number;
}

/**
 * Reads that may be answered by a standby, where there is one. The primary says how far it has written; the standby answers once
 * it has replayed as much. So a reader sees all that anybody was told of before, its own writes among it, whichever
 * instance has taken them. Where the standby is behind, or fails, the primary answers.
 */
export class ReplicaReader {
  private restsUntilMs = 0;
  private connecting: Promise<DataSource> | undefined;

  constructor(
    private readonly primary: DataSource,
    private readonly options: PostgresOptions | undefined,
    private readonly count: (place: ReadPlace) => void = () => undefined,
  ) {}

  async read<T>(work: (on: EntityManager) => Promise<T>): Promise<T> {
    if (!this.options || this.restsUntilMs > performance.now()) return work(this.primary.manager);
    const [written] = await this.primary.query<Written[]>(
      `select lsn::text, ('x' || left(pg_walfile_name(lsn), 8))::bit(32)::integer as timeline
       from pg_current_wal_insert_lsn() lsn`,
    );
    if (!written) throw new Error('PostgreSQL has not told how far it has written');
    const outcome = await this.readAt(this.options, written, work).catch((error: unknown) => {
      if (!isFaultOfTheReplica(error)) throw error;
      return 'failed' as const;
    });
    if (typeof outcome !== 'string') {
      this.count('replica');
      return outcome.result;
    }
    this.count(outcome);
    this.restsUntilMs = performance.now() + restMs[outcome];
    return work(this.primary.manager);
  }

  async onModuleDestroy(): Promise<void> {
    const replica = await this.connecting?.catch(() => undefined);
    await replica?.destroy();
  }

  /** Not at the start of the service, which needs none. */
  private connect(options: PostgresOptions): Promise<DataSource> {
    this.connecting ??= connectOnce(options).catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }

  // In one transaction: behind a pooler the next one may be on another standby.
  private async readAt<T>(
    options: PostgresOptions,
    written: Written,
    work: (on: EntityManager) => Promise<T>,
  ): Promise<{ result: T } | 'behind'> {
    const runner = (await this.connect(options)).createQueryRunner();
    try {
      const hasAll = await unlessSilent(runner, silenceMs.asked, async () => {
        await runner.startTransaction();
        return hasReplayed(runner, written);
      });
      if (!hasAll) return 'behind';
      return { result: await unlessSilent(runner, silenceMs.working, () => work(runner.manager)) };
    } finally {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      await runner.release();
    }
  }
}

/** Ends the connection where the work takes longer, by which what waits on it fails at once and the pool gets rid of it. */
async function unlessSilent<T>(runner: QueryRunner, ms: number, work: () => Promise<T>): Promise<T> {
  // TypeORM types its driver's connection as any.
  const client = (await runner.connect()) as pg.Client;
  const timer = setTimeout(() => client.connection.stream.destroy(), ms);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}

/**
 * False on a server that is none: one that takes writes of its own may never have heard of ours. False as well on one that still
 * follows the primary of before a failover, and may be ahead of the new one with what nobody was told of. That it has
 * changed over is known by its first checkpoint behind the failover; until then the primary answers.
 */
async function hasReplayed(runner: QueryRunner, { lsn, timeline }: Written): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const [row] = await runner.manager.query<{ fits: boolean; has: boolean | null }[]>(
      `select pg_is_in_recovery() and c.timeline_id = $2 as fits, pg_last_wal_replay_lsn() >= $1::pg_lsn as has
       from pg_control_checkpoint() c`,
      [lsn, timeline],
    );
    // That changes by a checkpoint, which is not waited for.
    if (row?.fits !== true) return false;
    if (row.has === true) return true;
    if (performance.now() >= endMs) return false;
    await delay(lookMs);
  }
}

/** A fault of the statement itself would be the primary's too. */
function isFaultOfTheReplica(error: unknown): boolean {
  const code = postgresCode(error);
  // No SQLSTATE: the connection. Else: connection, operator's intervention, resources, conflict with recovery.
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(08|53|57|58|40001)/.test(code);
}
