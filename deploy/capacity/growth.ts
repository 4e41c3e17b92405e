import type { History } from '../history/history.ts';

/** A whole day of UTC, by its busiest hour. */
export interface Day {
  readonly day: string;
  readonly executions: number;
  readonly peakHourExecutions: number;
  readonly peakHourRuns: number;
  readonly peakHourUsers: number;
}

export interface Measured {
  readonly days: readonly Day[];
  /** From a run's dispatch to its end: how long it holds its slot. */
  readonly slotSeconds: number;
  readonly slots: number;
  readonly databaseBytes: number;
}

export async function measureGrowth(history: History): Promise<Measured> {
  const days = await history.rows<Day>(
    `with hourly as (
       select date_trunc('hour', submitted_at at time zone 'UTC') as hour, count(*) as executions,
         count(*) filter (where cache_status in ('MISS', 'BYPASS')) as runs, count(distinct caller_id) as users
       from ${history.executions} group by 1)
     select to_char(date_trunc('day', hour), 'YYYY-MM-DD') as day, sum(executions)::float8 as executions,
       max(executions)::float8 as "peakHourExecutions", max(runs)::float8 as "peakHourRuns",
       max(users)::float8 as "peakHourUsers"
     from hourly group by date_trunc('day', hour) order by 1`,
  );
  const [now] = await history.rows<{ slots: number; databaseBytes: number; slotSeconds: number }>(
    `select (select coalesce(sum(slots), 0) from orchestrator.worker where heartbeat_at > now() - interval '1 minute')::float8 as slots,
       pg_database_size(current_database())::float8 as "databaseBytes",
       (select coalesce(avg(extract(epoch from finished_at - dispatched_at)), 0) from (
          select finished_at, dispatched_at from orchestrator.run
          where finished_at is not null and dispatched_at is not null order by finished_at desc limit 10000) r)::float8 as "slotSeconds"`,
  );
  // The first day began before the history does, and today is not over.
  const whole = days.slice(1, -1).map((day) => scaled(day, history.scale));
  return { days: whole, ...(now ?? { slots: 0, databaseBytes: 0, slotSeconds: 0 }) };
}

/** Users are counted once however often they were seen, so of a sample their number is the least. */
function scaled(day: Day, scale: number): Day {
  return {
    ...day,
    executions: day.executions * scale,
    peakHourExecutions: day.peakHourExecutions * scale,
    peakHourRuns: day.peakHourRuns * scale,
  };
}
