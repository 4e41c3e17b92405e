import { Injectable } from '@nestjs/common';
import type { RunPlan } from '#libs/contracts';
import { PageStore } from '#libs/result-store';
import { proveReadOnly } from '#libs/sql';
import { AppLogger } from '#libs/telemetry';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import type { SourceSession } from '../connector/connector.js';
import { SourceOpener } from '../source/source-opener.js';
import { sessionSettings } from '../source/session-settings.js';
import { assertBelow, ceilingOf } from './cost-ceiling.js';
import { governedError, isGoverned } from './governed-error.js';
import { HeldRun } from './held-run.js';
import { HeldRuns } from './held-runs.js';
import { PageWriter } from './page-writer.js';
import { RunClient } from './run.client.js';
import { RunMetrics } from './run-metrics.js';
import { endingOf } from './run-outcome.js';
import { inSpan } from './run-trace.js';

/** What was claimed: the session at the source and the end of its time. */
interface Claim {
  readonly session: SourceSession;
  /** Rejects where the statement is not proven to read only. */
  readonly proving: Promise<void>;
  readonly deadline: number;
}

/** Runs one plan against its source, from the claim to the end that is told. */
@Injectable()
export class RunExecutionService {
  constructor(
    private readonly held: HeldRuns,
    private readonly client: RunClient,
    private readonly connectors: ConnectorRegistry,
    private readonly opener: SourceOpener,
    private readonly store: PageStore,
    private readonly metrics: RunMetrics,
    private readonly logger: AppLogger,
  ) {}

  /** Never rejects for what a run or a source does; the answer is how it ended, for the metrics. */
  async execute(plan: RunPlan): Promise<string> {
    // A job that was delivered twice is one run.
    if (this.held.has(plan.runId, plan.fence)) return 'held';
    const run = new HeldRun(plan, (err) =>
      this.logger.warn({ err }, 'a statement could not be canceled at its source'),
    );
    const end = this.metrics.executionSeconds.startTimer({ source_type: plan.source?.type ?? '' });
    this.held.add(run);
    let outcome = 'broken';
    try {
      outcome = await this.hold(run);
    } catch (err) {
      // The orchestrator could not be told; its lease on the run ends without us.
      this.logger.error({ err }, 'the end of a run could not be told');
    } finally {
      run.end();
      this.held.remove(run);
      const seconds = end({ outcome });
      this.logger.info({ outcome, seconds }, 'a run has left this worker');
    }
    return outcome;
  }

  private async hold(run: HeldRun): Promise<string> {
    let session: SourceSession | undefined;
    try {
      session = await this.open(run);
      run.assertWanted();
      const claiming = this.client.claim(run.plan, session.handle);
      const proving = this.prove(run.plan);
      // Told of where the statement is run, which needs a claim.
      proving.catch(() => undefined);
      const { granted, timeoutMs } = await claiming;
      if (!granted) return 'refused';
      run.isClaimed = true;
      return await this.runClaimed(run, { session, proving, deadline: performance.now() + timeoutMs });
    } catch (error) {
      if (run.isClaimed) throw error;
      // Without a claim the time of the run has not begun.
      return await this.tellFailure(run, error, Infinity);
    } finally {
      await session?.close();
    }
  }

  private async open(run: HeldRun): Promise<SourceSession> {
    const { source, runId, workspaceId, submittedById, timeoutMs } = run.plan;
    if (!source) throw new Error('the plan names no source');
    const connector = await this.connectors.get(source.type);
    const end = this.metrics.connectSeconds.startTimer({ source_type: source.type });
    try {
      const purpose = { runId, workspaceId, submittedById, timeoutMs, settings: sessionSettings(source) };
      const session = await inSpan('worker.source.connect', { 'sluice.source.type': source.type }, () =>
        connector.open(this.opener.open(source), purpose),
      );
      end({ outcome: 'ok' });
      run.attach(session);
      return session;
    } catch (error) {
      end({ outcome: 'failed' });
      throw error;
    }
  }

  /** The orchestrator has proven it already; a job that somebody put into the queue by hand was not. */
  private async prove({ source, sql, values }: RunPlan): Promise<void> {
    await proveReadOnly(this.connectors.dialectOf(source?.type ?? ''), sql, { valueCount: values.length });
  }

  private async runClaimed(run: HeldRun, { session, proving, deadline }: Claim): Promise<string> {
    // The source has the same limit; this one holds where the source does not keep it.
    const timer = setTimeout(() => run.stop('timedOut'), Math.max(0, deadline - performance.now()));
    try {
      await proving;
      const totals = await this.read(run, session);
      const { state } = await this.client.finish(run.plan, { case: 'succeeded', value: totals });
      return state.toLowerCase();
    } catch (error) {
      return await this.tellFailure(run, governedError(error, run.plan), deadline);
    } finally {
      clearTimeout(timer);
    }
  }

  private async read(run: HeldRun, session: SourceSession): Promise<{ rows: number; bytes: number }> {
    const { sql, source, reach } = run.plan;
    const values = this.opener.openValues(run.plan);
    const labels = { source_type: source?.type ?? '' };
    run.assertWanted();
    const end = this.metrics.firstRowSeconds.startTimer(labels);
    return inSpan('worker.source.query', { 'db.system': labels.source_type }, async () => {
      if (reach) await run.within(session.confirm(reach));
      const ceiling = ceilingOf(source);
      if (ceiling) {
        assertBelow(ceiling, await run.within(session.estimate(sql, values)), isGoverned(run.plan));
      }
      const stream = await run.within(session.query(sql, values));
      end();
      const writer = new PageWriter(run, stream.columns, this.store, this.client);
      try {
        for (let rows = await run.within(stream.next()); rows; rows = await run.within(stream.next())) {
          const isWhole = writer.add(rows);
          await run.within(writer.keepUp());
          if (!isWhole) break;
        }
        await writer.seal();
      } finally {
        await writer.end();
      }
      this.metrics.rows.inc(labels, writer.totals.rows);
      this.metrics.bytes.inc(labels, writer.totals.bytes);
      return writer.totals;
    });
  }

  private async tellFailure(run: HeldRun, error: unknown, deadline: number): Promise<string> {
    const ending = endingOf(run, error, deadline - performance.now());
    if (!ending) return 'lost';
    if (ending.error) this.log(run.plan, ending.error);
    const { state } = await this.client.finish(run.plan, ending.outcome);
    return state.toLowerCase();
  }

  /** A caller's own mistake is no matter for an operator. */
  private log({ source }: RunPlan, err: Error & { code: string }): void {
    const sourceId = source?.id;
    if (err.code === 'run.query_failed')
      this.logger.info({ code: err.code, sourceId }, 'the source refused a statement');
    else this.logger.warn({ err, sourceId }, 'a run failed');
  }
}
