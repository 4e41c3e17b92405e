import type { EntityManager } from 'typeorm';
import { queryPrepared } from '#libs/database';
import type { OrchestratorConfig } from '../orchestrator.config.js';

/** The workers that take runs from one queue. All of them are bound to the same sources and types, or none is to any. */
export interface Crew {
  readonly queue: string;
  /** Of those that live; none where all of them are away for a moment. */
  readonly slots: number;
  readonly sourceIds: readonly string[];
  readonly sourceTypes: readonly string[];
}

/** The sources of a crew: those that are named, or else all but those. */
export interface CrewSources {
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly areServed: boolean;
}

/**
 * A source that workers are bound to is theirs alone, and stays so for a while when they are silent: else the runs of a source
 * that only they can reach would fail elsewhere with each of their restarts.
 */
export async function readCrews(
  manager: EntityManager,
  pool: string,
  { queue, lease }: OrchestratorConfig,
): Promise<Crew[]> {
  const rows = await queryPrepared<Omit<Crew, 'slots'> & { slots: string }>(
    manager,
    `select queue, source_ids as "sourceIds", source_types as "sourceTypes",
       coalesce(sum(slots) filter (where not draining and heartbeat_at > now() - make_interval(secs => $2)), 0) as slots
     from orchestrator.worker where pool = $1 and heartbeat_at > now() - make_interval(secs => greatest($2, $3))
     group by queue, source_ids, source_types order by queue desc`,
    [pool, lease.workerLiveSeconds, queue.bindingHoldSeconds],
  );
  return rows.map((row) => ({ ...row, slots: Number(row.slots) }));
}

/** Workers that are bound take nothing but their sources; the others take all that nobody is bound to. */
export function sourcesOf(crew: Crew, crews: readonly Crew[]): CrewSources {
  if (isBound(crew)) return { ids: crew.sourceIds, types: crew.sourceTypes, areServed: true };
  const bound = crews.filter(isBound);
  return {
    ids: bound.flatMap(({ sourceIds }) => sourceIds),
    types: bound.flatMap(({ sourceTypes }) => sourceTypes),
    areServed: false,
  };
}

function isBound({ sourceIds, sourceTypes }: Crew): boolean {
  return sourceIds.length > 0 || sourceTypes.length > 0;
}
