import type { DataSource } from 'typeorm';
import { until } from '#libs/testing';

/** The processes whose commit waits for a standby. */
export async function committing(on: DataSource): Promise<number[]> {
  const rows = await on.query<{ pid: number }[]>(`select pid from pg_stat_activity where wait_event = 'SyncRep'`);
  return rows.map(({ pid }) => pid);
}

/** Commits wait for a standby of this name; without one, for none. */
export async function waitFor(on: DataSource, standby: string): Promise<void> {
  await on.query(`alter system set synchronous_standby_names = '${standby}'`);
  await on.query('select pg_reload_conf()');
  await until(async () => {
    const [row] = await on.query<{ synchronous_standby_names: string }[]>('show synchronous_standby_names');
    return row?.synchronous_standby_names === standby;
  });
}

/** A write whose commit waits. What was set a moment ago the server may not know yet, so it is tried again. */
export async function writeThatWaits(
  on: DataSource,
  write: () => Promise<unknown>,
): Promise<{ written: Promise<unknown> }> {
  for (;;) {
    const written = write();
    const isThere = until(async () => (await committing(on)).length > 0);
    if (await Promise.race([isThere, written.then(() => false)])) return { written };
  }
}
