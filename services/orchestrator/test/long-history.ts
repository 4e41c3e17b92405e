import type { DataSource, EntityManager } from 'typeorm';
import type { Execution } from '#libs/contracts';

/** As many finished runs and executions like this one, of a thousand users, over the last twenty days; each fiftieth took long. */
export async function repeatInHistory(database: DataSource, { id, runId }: Execution, count: number): Promise<void> {
  const ago = `now() - interval '20 days' * (g.i::double precision / ${count})`;
  await database.transaction(async (manager) => {
    // Neither a check nor a plan for each row.
    await manager.query(`set local session_replication_role = replica`);
    await manager.query(`set local auto_explain.log_min_duration = -1`);
    await copyRows(manager, 'run', runId, count, {
      id: `'run_' || lpad(g.i::text, 26, '0')`,
      flight_key: `sha256(g.i::text::bytea)`,
      sql: `'select ' || g.i`,
      user_id: `'usr_' || g.i % 1000`,
      submitted_at: ago,
      started_at: `${ago} - make_interval(secs => case when g.i % 50 = 0 then 5 else 0.05 end)`,
      finished_at: ago,
      finished_seq: `g.i`,
      finished_xid: `'100'::xid8`,
    });
    await copyRows(manager, 'execution', id, count, {
      id: `'exe_' || lpad(g.i::text, 26, '0')`,
      run_id: `'run_' || lpad(g.i::text, 26, '0')`,
      caller_id: `'usr_' || g.i % 1000`,
      submitted_at: ago,
    });
  });
  await database.query('vacuum analyze orchestrator.run, orchestrator.execution');
}

async function copyRows(
  manager: EntityManager,
  table: string,
  id: string,
  count: number,
  changes: Record<string, string>,
): Promise<void> {
  const columns: { name: string }[] = await manager.query(
    `select column_name as name from information_schema.columns where table_schema = 'orchestrator' and table_name = $1`,
    [table],
  );
  const names = columns.map(({ name }) => name);
  await manager.query(
    `insert into orchestrator.${table} (${names.join(', ')})
     select ${names.map((name) => changes[name] ?? `t.${name}`).join(', ')}
     from orchestrator.${table} t cross join generate_series(1, ${count}) g (i) where t.id = $1`,
    [id],
  );
}
