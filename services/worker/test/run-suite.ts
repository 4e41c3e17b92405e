import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import type { RunPlan, SourceConnection } from '#libs/contracts';
import { MasterKeys, newDataKey, sealSecrets, sealText } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { decodePage, type DecodedPage, type PageStore } from '#libs/result-store';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startPostgres, testPageStore } from '#libs/testing';
import { ConnectorRegistry } from '../src/connector/connector-registry.js';
import { HeldRuns } from '../src/run/held-runs.js';
import { RunExecutionService } from '../src/run/run-execution.service.js';
import { RunMetrics } from '../src/run/run-metrics.js';
import { SourceOpener } from '../src/source/source-opener.js';
import type { WorkerConfig } from '../src/worker.config.js';
import { RecordingClient } from './recording-client.js';

const workspaceId = newId('workspace');
const masterKeys = `k1:${Buffer.alloc(32, 7).toString('base64')}`;
const data = resolve(import.meta.dirname, '../../../node_modules/vega-datasets/data');

/** What executes runs in a worker, before real sources of both types and a store in a directory. */
export class RunSuite {
  client = new RecordingClient();
  private service: RunExecutionService;

  private constructor(
    readonly admin: pg.Client,
    readonly sources: Record<'postgres' | 'duckdb', SourceConnection>,
    readonly held: HeldRuns,
    readonly logLines: readonly string[],
    private readonly store: PageStore,
    private readonly serviceFor: (client: RecordingClient) => RunExecutionService,
    private readonly closing: readonly (() => Promise<unknown>)[],
  ) {
    this.service = serviceFor(this.client);
  }

  static async start(): Promise<RunSuite> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
    const server = await startPostgres();
    const url = new URL(await server.createDatabase());
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    await admin.query(`create role reader login password 'secret';
      create table numbers as select n from generate_series(1, 100000) n; grant select on numbers to reader`);
    const address = { host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), user: 'reader' };
    const sources = {
      postgres: sourceOf('postgres', address, { password: 'secret' }),
      duckdb: sourceOf('duckdb', { tables: { flights: { parquet: join(data, 'flights-3m.parquet') } } }),
    };
    const config = {
      masterKeys,
      service: { instance: 'worker-1' },
      run: { pool: 'default', slots: 4, heartbeatMs: 1_000, repeatSeconds: 1 },
      source: { connectTimeoutMs: 2_000, idleSeconds: 60 },
      duckdb: {
        ...{ directories: [data], memoryMb: 128, threads: 2 },
        ...{ spillDirectory: join(directory, 'spill'), spillMb: 64 },
      },
    } as WorkerConfig;
    const connectors = new ConnectorRegistry(config);
    const store = testPageStore(join(directory, 'store'));
    const held = new HeldRuns();
    const logLines: string[] = [];
    const destination = { write: (line: string) => void logLines.push(line) };
    const logger = AppLogger.create({ service: 'worker', instance: 'worker-1', level: 'warn', destination });
    const metrics = new RunMetrics(new MetricsRegistry('worker'), held, config);
    const opener = openerFor(config);
    const serviceFor = (client: RecordingClient) =>
      new RunExecutionService(held, client as never, connectors, opener, store, metrics, logger);
    return new RunSuite(admin, sources, held, logLines, store, serviceFor, [
      () => connectors.close(),
      () => admin.end(),
      () => server.stop(),
      () => rm(directory, { recursive: true, force: true }),
    ]);
  }

  /** The next run meets others who have not been asked anything yet. */
  renewClient(): void {
    this.client = new RecordingClient();
    this.service = this.serviceFor(this.client);
  }

  planOf(sql: string, change: Partial<RunPlan> = {}): RunPlan {
    return {
      ...{ runId: newId('run'), fence: 1, workspaceId, source: this.sources.postgres, sql, rowsMax: 1_000_000 },
      ...{ bytesMax: 1_000_000_000, timeoutMs: 30_000, submittedById: 'usr_1', requestId: 'req_1', traceparent: '' },
      values: [],
      ...change,
    };
  }

  execute(plan: RunPlan): Promise<string> {
    return this.service.execute(plan);
  }

  /** The page that travelled inside the manifest of the last run. */
  async inlinePage(): Promise<DecodedPage> {
    const { plan, sealed } = this.client;
    if (!plan || !sealed?.inline) throw new Error('no result was sealed inline');
    return decodePage(this.store.openInline(plan, sealed.inline));
  }

  async storedRows(plan: RunPlan): Promise<unknown[]> {
    const rows: unknown[] = [];
    for (const { page } of this.client.pages) {
      const place = { workspaceId, runId: plan.runId, fence: plan.fence, page: page.number };
      const decoded = await decodePage(await this.store.get(place, page.checksum));
      for (let index = 0; index < decoded.rowCount; index += 1) rows.push(JSON.parse(decoded.row(index)));
    }
    return rows;
  }

  /** How many sessions runs still have at the PostgreSQL source, whatever run it was. */
  async sessionsOfRuns(): Promise<number> {
    const { rowCount } = await this.admin.query(
      "select from pg_stat_activity where application_name like 'sluice run_%'",
    );
    return rowCount ?? 0;
  }

  async stop(): Promise<void> {
    for (const close of this.closing) await close();
  }
}

export function sourceOf(
  type: string,
  options: Record<string, unknown>,
  secrets?: { password: string },
): SourceConnection {
  const id = newId('dataSource');
  return {
    ...{ id, workspaceId, name: type, type, version: 1, maxConcurrentExecutions: 4, paused: false },
    options: options as never,
    ...(secrets ? { secrets: sealSecrets(secrets, newKey(), `${workspaceId}/${id}`) } : {}),
  };
}

/** A value as the orchestrator seals it for one run. */
export function sealedFor(runId: string, text: string): RunPlan['values'][number] {
  return { type: 'text', sealed: sealText(text, newKey(), `${workspaceId}/${runId}`) };
}

function newKey(): ReturnType<typeof newDataKey> {
  return newDataKey(MasterKeys.parse(masterKeys), workspaceId);
}

/** Opens the secrets of `sourceOf`. */
export function openerFor(config: WorkerConfig): SourceOpener {
  return new SourceOpener({ ...config, masterKeys }, { note: () => undefined });
}
