import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { version, type DuckDBConnection, type DuckDBInstance } from '@duckdb/node-api';
import type { SourceHandle, Table } from '#libs/contracts';
import { parseSourceOptions, type DuckdbSourceOptions } from '#libs/source-types';
import type { Connector, OpenedSource, SessionPurpose, SourceSession } from '../connector/connector.js';
import { isFatal, toDuckdbError, unavailable } from './duckdb-errors.js';
import { openDuckdbInstance, type DuckdbLimits } from './duckdb-instance.js';
import { DuckdbSession } from './duckdb-session.js';
import { readDuckdbSchema } from './read-duckdb-schema.js';
import { stampOf } from './source-stamp.js';

interface Held {
  readonly instance: Promise<DuckDBInstance>;
  readonly version: number;
  readonly stamp: string;
  readonly spillDirectory: string;
  users: number;
  /** Closed when its last user leaves. */
  isRetired: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * DuckDB inside the worker: an instance for each version of a source and of its files, shared by its runs, locked before
 * the first.
 */
export class DuckdbConnector implements Connector {
  private readonly held = new Map<string, Held>();
  private readonly closing = new Set<Promise<void>>();
  private readonly sessions = new Map<string, DuckdbSession>();

  constructor(
    private readonly worker: string,
    private readonly limits: DuckdbLimits,
    private readonly idleMs: number,
  ) {}

  async open(source: OpenedSource, { runId, timeoutMs }: SessionPurpose): Promise<SourceSession> {
    const { connection, release, retire } = await this.connect(source);
    const session = new DuckdbSession(
      connection,
      { values: { worker: this.worker, run: runId } },
      timeoutMs,
      () => {
        if (this.sessions.get(runId) === session) this.sessions.delete(runId);
        release();
      },
      (error) => {
        if (isFatal(error)) retire();
      },
    );
    this.sessions.set(runId, session);
    return session;
  }

  test(source: OpenedSource): Promise<string> {
    return this.withConnection(source, async (connection) => {
      // A file is opened, but only read when it is asked for.
      for (const { schema, name } of await readDuckdbSchema(connection)) {
        await connection.run(`select * from "${escape(schema ?? '')}"."${escape(name)}" limit 0`);
      }
      return `DuckDB ${version().replace(/^v/, '')}`;
    });
  }

  readSchema(source: OpenedSource): Promise<Table[]> {
    return this.withConnection(source, readDuckdbSchema);
  }

  /** Only the worker that runs a statement can reach it: the engine lives and dies with its process. */
  async cancel(_source: OpenedSource, { values }: SourceHandle): Promise<boolean> {
    const session = values['worker'] === this.worker ? this.sessions.get(values['run'] ?? '') : undefined;
    await session?.cancel();
    return session !== undefined;
  }

  async close(): Promise<void> {
    for (const [sourceId, held] of this.held) this.retire(sourceId, held);
    await Promise.all(this.closing);
  }

  private async withConnection<T>(source: OpenedSource, use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const { connection, release } = await this.connect(source);
    try {
      return await use(connection);
    } catch (error) {
      throw unavailable(error);
    } finally {
      connection.closeSync();
      release();
    }
  }

  private async connect(
    source: OpenedSource,
  ): Promise<{ connection: DuckDBConnection; release: () => void; retire: () => void }> {
    const options = parseSourceOptions('duckdb', source.options);
    // Before the files are opened: one that is replaced meanwhile is another to the next run.
    const held = this.hold(source, options, await stampOf(options));
    held.users += 1;
    clearTimeout(held.timer);
    try {
      const connection = await (await held.instance).connect();
      return {
        connection,
        release: () => this.release(source.id, held),
        retire: () => this.retire(source.id, held),
      };
    } catch (error) {
      this.retire(source.id, held);
      this.release(source.id, held);
      throw toDuckdbError(error);
    }
  }

  private hold(source: OpenedSource, options: DuckdbSourceOptions, stamp: string): Held {
    const known = this.held.get(source.id);
    if (known && known.version === source.version && known.stamp === stamp) return known;
    const spillDirectory = join(this.limits.spillDirectory, randomUUID());
    const held: Held = {
      instance: openDuckdbInstance(options, this.limits, spillDirectory),
      spillDirectory,
      version: source.version,
      stamp,
      users: 0,
      isRetired: false,
      timer: undefined,
    };
    // Whoever asked for it is told as well.
    held.instance.catch(() => undefined);
    if (known) this.retire(source.id, known);
    this.held.set(source.id, held);
    return held;
  }

  private release(sourceId: string, held: Held): void {
    held.users -= 1;
    if (held.users > 0) return;
    if (held.isRetired) {
      this.closeLater(held);
      return;
    }
    // The memory of an instance that nobody asks goes back.
    held.timer = setTimeout(() => this.retire(sourceId, held), this.idleMs);
    held.timer.unref();
  }

  private closeLater(held: Held): void {
    const closing: Promise<void> = close(held).finally(() => this.closing.delete(closing));
    this.closing.add(closing);
  }

  private retire(sourceId: string, held: Held): void {
    if (this.held.get(sourceId) === held) this.held.delete(sourceId);
    if (held.isRetired) return;
    held.isRetired = true;
    clearTimeout(held.timer);
    if (held.users === 0) this.closeLater(held);
  }
}

async function close({ instance, spillDirectory }: Held): Promise<void> {
  await instance.then(
    (opened) => opened.closeSync(),
    () => undefined,
  );
  await rm(spillDirectory, { recursive: true, force: true }).catch(() => undefined);
}

function escape(name: string): string {
  return name.replaceAll('"', '""');
}
