import type { History } from './history.ts';

export const groupings = {
  source: 'r.source_id',
  workspace: 'e.workspace_id',
  user: 'e.caller_id',
  'saved-query': `coalesce(e.saved_query_id, '(SQL)')`,
} as const;
export type Grouping = keyof typeof groupings;

/** What one source, workspace, user or saved query has used, and what answers that were kept or shared have spared it. */
export interface CostLine {
  readonly of: string;
  readonly executions: number;
  readonly runs: number;
  readonly runSeconds: number;
  readonly runBytes: number;
  readonly savedRuns: number;
  readonly savedSeconds: number;
  readonly savedBytes: number;
}

/** A run that was shared or kept would have been one more of as many seconds. */
export async function costReport(
  history: History,
  { by, days, limit }: { by: Grouping; days: number; limit: number },
): Promise<CostLine[]> {
  const seconds = 'coalesce(extract(epoch from r.finished_at - r.started_at), 0)';
  const rows = await history.rows<CostLine>(
    `select ${groupings[by]} as "of", count(*)::float8 as executions,
       (count(*) filter (where not spared))::float8 as runs,
       coalesce(sum(${seconds}) filter (where not spared), 0)::float8 as "runSeconds",
       coalesce(sum(r.bytes) filter (where not spared), 0)::float8 as "runBytes",
       (count(*) filter (where spared))::float8 as "savedRuns",
       coalesce(sum(${seconds}) filter (where spared), 0)::float8 as "savedSeconds",
       coalesce(sum(r.bytes) filter (where spared), 0)::float8 as "savedBytes"
     from (select *, cache_status in ('HIT', 'STALE', 'SHARED') as spared from ${history.executions}) e
     join orchestrator.run r on r.id = e.run_id
     where e.submitted_at >= now() - make_interval(days => $1)
     group by 1 order by "savedSeconds" desc, "runSeconds" desc limit $2`,
    [days, limit],
  );
  return rows.map((row) => scaled(row, history.scale));
}

function scaled({ of, ...figures }: CostLine, scale: number): CostLine {
  // The figures of a line, and nothing else, are numbers.
  const times = Object.entries(figures).map(([name, value]) => [name, Math.round(value * scale * 1_000) / 1_000]);
  return { of, ...(Object.fromEntries(times) as Omit<CostLine, 'of'>) };
}

export function totalOf(lines: readonly CostLine[]): CostLine {
  const sum = (name: Exclude<keyof CostLine, 'of'>): number => lines.reduce((total, line) => total + line[name], 0);
  return {
    of: 'all of these',
    executions: sum('executions'),
    ...{ runs: sum('runs'), runSeconds: sum('runSeconds'), runBytes: sum('runBytes') },
    ...{ savedRuns: sum('savedRuns'), savedSeconds: sum('savedSeconds'), savedBytes: sum('savedBytes') },
  };
}
