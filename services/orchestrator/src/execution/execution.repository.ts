import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { ResponseOf, runRequests } from '#libs/contracts';
import { queryPrepared, ReplicaReader } from '#libs/database';
import { placeColumns, toPlace, toView, viewColumns, type Place, type ViewRow } from './execution.row.js';
import type { ExecutionView, ListFilter, Sight } from './execution.types.js';
import {
  isNotBehind,
  isOfUnfinished,
  isSifted,
  siftConditions,
  stretchConditions,
  unfinishedCondition,
  type Placed,
  type Position,
} from './list-conditions.js';

type Versions = ResponseOf<typeof runRequests.getVersions>['versions'];

/**
 * How many executions a page looks at for those that a filter wants, where no index has them in their order. At most so many runs
 * are read for a page, however long the history is.
 */
export const lookedAtMax = 10_000;

export interface Listed {
  readonly views: ExecutionView[];
  /** Where looking has ended, with more behind it; undefined where the list ends here or has more than the page takes. */
  readonly lookedTo: Position | undefined;
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
  list(filter: ListFilter, limit: number, after: Position | undefined): Promise<Listed> {
    return this.replica.read(async (on) => {
      const parameters: unknown[] = [];
      const place: Placed = (value) => `$${parameters.push(value)}`;
      const stretch = stretchConditions(filter, after, place);
      const isShort = isOfUnfinished(filter);
      const lookedTo = isSifted(filter) && !isShort ? await endOfLook(on, stretch, parameters) : undefined;
      const conditions = [
        ...stretch,
        ...(lookedTo ? [isNotBehind(lookedTo, place)] : []),
        ...(isShort ? [unfinishedCondition] : []),
        ...siftConditions(filter, place),
      ];
      // The runs are fetched for the executions, one by one: for a text that seems rare all runs would be read for it first. Those that
      // have not ended are few, and come first.
      const runs = isShort
        ? 'join orchestrator.run r on r.id = e.run_id'
        : 'cross join lateral (select * from orchestrator.run where id = e.run_id offset 0) r';
      const rows = await on.query<ViewRow[]>(
        `select ${viewColumns} from orchestrator.execution e ${runs}
         where ${conditions.join(' and ')}
         order by e.submitted_at desc, e.id desc limit ${place(limit)}`,
        parameters,
      );
      return { views: rows.map(toView), lookedTo: rows.length < limit ? lookedTo : undefined };
    });
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

/** The last of the executions that a page may look at; undefined where the list ends before. */
async function endOfLook(
  on: EntityManager,
  stretch: readonly string[],
  parameters: readonly unknown[],
): Promise<Position | undefined> {
  const [last] = await on.query<{ id: string; micros: string }[]>(
    `select e.id, (extract(epoch from e.submitted_at) * 1000000)::bigint as micros from orchestrator.execution e
     where ${stretch.join(' and ')} order by e.submitted_at desc, e.id desc offset ${lookedAtMax - 1} limit 1`,
    [...parameters],
  );
  return last && { id: last.id, micros: Number(last.micros) };
}
