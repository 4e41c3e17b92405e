import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { ResponseOf, runRequests, RunState } from '#libs/contracts';
import { accessCondition, escapeLike, queryPrepared, ReplicaReader, type ReachedAssets } from '#libs/database';
import { fenceAlias } from '#libs/sql';
import { placeColumns, toPlace, toView, viewColumns, type Place, type ViewRow } from './execution.row.js';
import type { ExecutionView, ListFilter, Sight } from './execution.types.js';

type Versions = ResponseOf<typeof runRequests.getVersions>['versions'];

interface Position {
  readonly micros: number;
  readonly id: string;
}

/** Reads executions as callers see them. Nothing here writes. */
@Injectable()
export class ExecutionRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly replica: ReplicaReader,
  ) {}

  async findMany(ids: readonly string[], { workspaceId, callerId }: Sight): Promise<ExecutionView[]> {
    // One of them has a text of its own: for a list of unknown length the planner would plan anew each time.
    const [only, ...others] = ids;
    const isOne = only !== undefined && others.length === 0;
    const rows = await queryPrepared<ViewRow>(
      this.dataSource,
      `select ${viewColumns} from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
       where e.id = ${isOne ? '$1' : 'any ($1)'} and e.workspace_id = $2 and ($3::text is null or e.caller_id = $3)`,
      [isOne ? only : ids, workspaceId, callerId ?? null],
    );
    return rows.map(toView);
  }

  /** Newest first, behind `after`. */
  async list(filter: ListFilter, limit: number, after: Position | undefined): Promise<ExecutionView[]> {
    const conditions = ['e.workspace_id = $1'];
    const parameters: unknown[] = [filter.workspaceId];
    const where = (condition: (place: string) => string, value: unknown): void => {
      parameters.push(value);
      conditions.push(condition(`$${parameters.length}`));
    };
    const reached = (assets: ReachedAssets): string =>
      accessCondition(assets, { source: 'r.source_id', query: 'e.saved_query_id' }, (ids) => {
        parameters.push(ids);
        return `$${parameters.length}`;
      });
    if (filter.reached) conditions.push(reached(filter.reached));
    // Nor what stands in a saved query that one may only run.
    if (filter.search !== undefined && filter.readable) {
      conditions.push(`(e.saved_query_id is null or ${reached(filter.readable)})`);
    }
    if (filter.callerId !== undefined) where((place) => `e.caller_id = ${place}`, filter.callerId);
    if (filter.submittedById !== undefined) where((place) => `e.caller_id = ${place}`, filter.submittedById);
    if (filter.savedQueryId !== undefined) where((place) => `e.saved_query_id = ${place}`, filter.savedQueryId);
    if (filter.dataSourceId !== undefined) where((place) => `r.source_id = ${place}`, filter.dataSourceId);
    // By searching one would find out what the policies in a statement are.
    if (filter.search !== undefined && !filter.readsPolicies)
      where((place) => `position(${place} in r.sql) = 0`, fenceAlias);
    if (filter.search !== undefined) where((place) => `r.sql ilike ${place}`, `%${escapeLike(filter.search)}%`);
    if (filter.submittedFrom) where((place) => `e.submitted_at >= ${place}`, filter.submittedFrom);
    if (filter.submittedTo) where((place) => `e.submitted_at < ${place}`, filter.submittedTo);
    if (filter.states.length > 0) {
      where((place) => `coalesce(e.own_state, r.state) = any (${place})`, storedStates(filter.states));
    }
    if (after) {
      where((place) => `e.submitted_at <= 'epoch'::timestamptz + ${place} * interval '1 microsecond'`, after.micros);
      const micros = `$${parameters.length}`;
      where(
        (place) => `(e.submitted_at, e.id) < ('epoch'::timestamptz + ${micros} * interval '1 microsecond', ${place})`,
        after.id,
      );
    }
    parameters.push(limit);
    const statement = `select ${viewColumns} from orchestrator.execution e join orchestrator.run r on r.id = e.run_id
       where ${conditions.join(' and ')}
       order by e.submitted_at desc, e.id desc limit $${parameters.length}`;
    const rows = await this.replica.read((on) => on.query<ViewRow[]>(statement, parameters));
    return rows.map(toView);
  }

  async versions(ids: readonly string[]): Promise<Versions> {
    const rows: { id: string; version: number; fence: number }[] = await this.dataSource.query(
      `select e.id, coalesce(e.own_version, r.version) as version, r.fence
       from orchestrator.execution e join orchestrator.run r on r.id = e.run_id where e.id = any ($1)`,
      [ids],
    );
    return rows.map(({ id, version, fence }) => ({ executionId: id, version, fence }));
  }

  /** Where those of them stand that wait. A run that many wait for is looked for once. */
  async places(ids: readonly string[]): Promise<Map<string, Place>> {
    const rows = await queryPrepared<{ ids: string[]; position: string; seconds: number | null }>(
      this.dataSource,
      `with waiting as materialized (
         select e.run_id, array_agg(e.id) as ids from orchestrator.execution e
         where e.id = any ($1) and e.own_state is null group by e.run_id
       )
       select w.ids, ${placeColumns} from waiting w join orchestrator.run r on r.id = w.run_id
       where r.state in ('QUEUED', 'DISPATCHED')`,
      [ids],
    );
    return new Map(rows.flatMap((row) => row.ids.map((id) => [id, toPlace(row)])));
  }
}

/** DISPATCHED is told as QUEUED, so who asks for QUEUED asks for both. */
function storedStates(states: readonly RunState[]): RunState[] {
  return states.includes('QUEUED') ? [...states, 'DISPATCHED'] : [...states];
}
