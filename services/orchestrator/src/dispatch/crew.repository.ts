import type { EntityManager } from 'typeorm';
import { queryPrepared } from '#libs/database';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import type { Crew } from './crew.js';

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
