import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { InjectConfig } from '#libs/config';
import type { RunState } from '#libs/contracts';
import type { OrchestratorConfig } from '../orchestrator.config.js';

/** Runs in an unfinished state, and those of them that should have left it long ago. */
export interface StateCount {
  readonly state: RunState;
  readonly runs: number;
  readonly stuck: number;
  /** How long the oldest of them waits for a slot; of those that are queued alone. */
  readonly oldestSeconds: number;
}

export interface WorkerCount {
  readonly state: 'live' | 'draining' | 'lost';
  readonly workers: number;
}

/** How long beyond its time a run may be in a state before somebody has to look: the reaper has had many turns by then. */
const stuckSeconds = 60;
/** A worker that was lost is told of for so long; it comes back under another name. */
const lostSeconds = 600;

@Injectable()
export class StateRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async runs(): Promise<StateCount[]> {
    const { lease, queue } = this.config;
    const rows: { state: RunState; runs: string; stuck: string; oldest_seconds: number }[] =
      await this.dataSource.query(
        `select state, count(*) as runs, count(*) filter (where case state
            when 'QUEUED' then queue_deadline > '-infinity' and queue_deadline < now() - make_interval(secs => $1)
            when 'DISPATCHED' then dispatched_at < now() - make_interval(secs => $1 + $2)
            when 'RUNNING' then least(lease_until, deadline + make_interval(secs => $3)) < now() - make_interval(secs => $1)
            else canceling_at < now() - make_interval(secs => $1 + $3) end) as stuck,
          coalesce(extract(epoch from now() - min(queued_at) filter (where state = 'QUEUED')), 0)::float8 as oldest_seconds
        from orchestrator.run where state in ('QUEUED', 'DISPATCHED', 'RUNNING', 'CANCELING') group by state`,
        // An unclaimed run is given up to 32 times as long.
        [stuckSeconds, (queue.unclaimedMs * 32) / 1_000, lease.stopGraceMs / 1_000],
      );
    return rows.map(({ state, runs, stuck, oldest_seconds: oldestSeconds }) => ({
      ...{ state, oldestSeconds },
      ...{ runs: Number(runs), stuck: Number(stuck) },
    }));
  }

  /** A worker that ended in order has said so; one that is silent without that is lost. */
  async workers(): Promise<WorkerCount[]> {
    const rows: { state: WorkerCount['state']; workers: string }[] = await this.dataSource.query(
      `select case when heartbeat_at > now() - make_interval(secs => $1)
           then case when draining then 'draining' else 'live' end else 'lost' end as state, count(*) as workers
       from orchestrator.worker
       where heartbeat_at > now() - make_interval(secs => case when draining then $1 else $1 + $2 end) group by 1`,
      [this.config.lease.workerLiveSeconds, lostSeconds],
    );
    return rows.map(({ state, workers }) => ({ state, workers: Number(workers) }));
  }
}
