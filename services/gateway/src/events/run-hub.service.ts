import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { BusClient, FirehoseReader, serviceContext } from '#libs/bus';
import {
  executionChanged,
  rowsCommitted,
  runChanged,
  runRequests,
  type ExecutionChanged,
  type RunChanged,
} from '#libs/contracts';
import { AccessView } from '#libs/identity';
import { Lifecycle } from '#libs/service';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { isFinal } from '../results/result-view.js';
import { AccessRounds } from './access-rounds.js';
import type { RunWatch, WatchedIds } from './run-watch.js';
import { WatchedRuns } from './watched-runs.js';
import { WorkspaceEar, WorkspaceEars } from './workspace-ears.js';

const reconcileMs = 5_000;
const idsPerRequest = 500;
/** How often the places of those who wait are told; of so many at a time, the others in the rounds behind. */
const placesMs = 2_000;
const placesPerRound = 200;

/**
 * Hears the firehose of runs for all subscribers of this gateway, and every five seconds asks the orchestrator for the
 * versions of what they watch, so that whatever Redis lost is told all the same.
 */
@Injectable()
export class RunHubService implements OnApplicationBootstrap {
  private readonly runs = new WatchedRuns();
  private readonly ears = new WorkspaceEars();
  private timer: NodeJS.Timeout | undefined;
  private placesTimer: NodeJS.Timeout | undefined;
  private lastPlaced = '';
  private readonly accessRounds: AccessRounds;

  constructor(
    private readonly bus: BusClient,
    private readonly firehose: FirehoseReader,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
    metrics: MetricsRegistry,
    access: AccessView,
  ) {
    this.accessRounds = new AccessRounds(access, this.runs, logger);
    metrics.gauge({ name: 'watches', help: 'Executions that are watched, once for each watcher.' }, (gauge) =>
      gauge.set(this.runs.size),
    );
    metrics.gauge({ name: 'ears', help: 'Listeners to what ends in a workspace.' }, (gauge) =>
      gauge.set(this.ears.size),
    );
  }

  onApplicationBootstrap(): void {
    this.firehose
      .on(runChanged, (message) => this.onRunChanged(message))
      .on(executionChanged, (message) => this.onExecutionChanged(message))
      .on(rowsCommitted, (message) => this.runs.onRowsCommitted(message))
      .start(() => {
        this.runs.doubtAll();
        this.ears.wakeAll();
      });
    this.timer = setTimeout(() => void this.reconcile(), reconcileMs);
    this.timer.unref();
    this.placesTimer = setTimeout(() => void this.tellPlaces(), placesMs);
    this.placesTimer.unref();
    this.accessRounds.start();
    this.lifecycle.onDrain('hearing of runs', async () => {
      clearTimeout(this.timer);
      clearTimeout(this.placesTimer);
      this.accessRounds.stop();
      await this.firehose.stop();
    });
  }

  /** Watches a run whose execution has been read at this version. Close it when done. */
  watch(ids: WatchedIds, readVersion: number): RunWatch {
    return this.runs.watch(ids, readVersion);
  }

  /** Hears that something has ended in a workspace. Close it when done. */
  listen(workspaceId: string): WorkspaceEar {
    return this.ears.listen(workspaceId);
  }

  private onRunChanged(message: RunChanged): void {
    this.runs.onRunChanged(message);
    if (isFinal(message.state)) this.ears.wake(message.workspaceId);
  }

  private onExecutionChanged(message: ExecutionChanged): void {
    this.runs.onExecutionChanged(message);
    if (isFinal(message.state)) this.ears.wake(message.workspaceId);
  }

  private async reconcile(): Promise<void> {
    try {
      const ids = this.runs.executionIds();
      for (let from = 0; from < ids.length; from += idsPerRequest) {
        await this.reconcileSome(ids.slice(from, from + idsPerRequest));
      }
    } catch (err) {
      this.logger.warn({ err }, 'versions of watched executions could not be compared; the next round tries again');
    } finally {
      this.timer?.refresh();
    }
  }

  /** One request a round, whoever waits: a gateway with more of them goes round among them. */
  private async tellPlaces(): Promise<void> {
    try {
      const waitingIds = this.runs.waitingIds().sort();
      const next = waitingIds.filter((id) => id > this.lastPlaced).slice(0, placesPerRound);
      this.lastPlaced = next.length === placesPerRound ? (next.at(-1) ?? '') : '';
      if (next.length > 0) await this.reconcileSome(next, next);
    } catch (err) {
      this.logger.warn({ err }, 'places in the queue could not be asked for; the next round tries again');
    } finally {
      this.placesTimer?.refresh();
    }
  }

  private async reconcileSome(executionIds: string[], waitingIds: string[] = []): Promise<void> {
    const { versions } = await this.bus.request(
      runRequests.getVersions,
      { executionIds, waitingIds },
      { context: serviceContext('gateway', ''), ttlMs: reconcileMs },
    );
    for (const { executionId, version, queuePosition, estimatedWaitSeconds } of versions) {
      const place = queuePosition === undefined ? undefined : { queuePosition, estimatedWaitSeconds };
      this.runs.reconcile(executionId, version, place);
    }
  }
}
