import type { Fault } from '../examination.js';
import { schemas, settingOf, type PostgresSubject } from './postgres-subject.js';

type Check = (subject: PostgresSubject) => Promise<Fault[]>;

/** The tables of the services, and what keeps them fit. */
export const tableChecks: Readonly<Record<string, Check>> = {
  'postgres.bloat': async ({ query, limits }) => {
    const rows = await query<{ name: string; dead: string; share: number }>(
      `select schemaname || '.' || relname as name, n_dead_tup as dead,
         n_dead_tup::double precision / (n_live_tup + n_dead_tup) as share
       from pg_stat_user_tables
       where schemaname = any ($1) and n_dead_tup > $2 and n_dead_tup > (n_live_tup + n_dead_tup) * $3::double precision
       order by n_dead_tup desc limit 10`,
      [schemas, limits.deadRowsMin, limits.deadRowShare],
    );
    return rows.map(({ name, dead, share }) => ({
      severity: 'WARNING',
      what: `${Math.round(share * 100)} % of ${name} are dead rows (${dead}).`,
      why: 'Every look at the table reads them too; vacuum does not keep up, or an old transaction holds it off.',
      mend: `psql -c 'vacuum (analyze) ${name}'`,
    }));
  },

  'postgres.autovacuum': async (subject) => {
    if ((await settingOf(subject, 'autovacuum')) !== 'off') return [];
    const what = 'autovacuum is off.';
    const why = 'Tables grow without end, plans are made by old numbers, and in the end writes stop.';
    const mend = `psql -c 'alter system set autovacuum = on' -c 'select pg_reload_conf()'`;
    return [{ severity: 'CRITICAL', what, why, mend }];
  },

  'postgres.wraparound': async ({ query, limits }) => {
    const rows = await query<{ name: string; age: number }>(
      'select datname as name, age(datfrozenxid) as age from pg_database where datallowconn and age(datfrozenxid) > $1',
      [limits.transactionAge],
    );
    return rows.map(({ name, age }) => ({
      severity: 'CRITICAL',
      what: `The oldest row of ${name} is ${age} transactions old.`,
      why: 'At two thousand million PostgreSQL takes no more writes.',
      mend: `vacuumdb --freeze ${name}`,
    }));
  },

  'postgres.indexes': async ({ query }) => {
    const rows = await query<{ name: string }>(
      `select n.nspname || '.' || c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
         join pg_namespace n on n.oid = c.relnamespace
       where not i.indisvalid and n.nspname = any ($1) limit 10`,
      [schemas],
    );
    return rows.map(({ name }) => ({
      severity: 'WARNING',
      what: `The index ${name} is not valid.`,
      why: 'It was not built to its end: it costs with each write, and no question uses it.',
      mend: `psql -c 'reindex index concurrently ${name}'`,
    }));
  },

  'postgres.hit-ratio': async ({ query, limits }) => {
    const [row] = await query<{ hit: string; read: string }>(
      'select blks_hit as hit, blks_read as read from pg_stat_database where datname = current_database()',
    );
    const [hit, read] = [Number(row?.hit ?? 0), Number(row?.read ?? 0)];
    const ratio = hit / (hit + read);
    if (hit + read < limits.databaseBlocksMin || ratio >= limits.databaseHitRatioMin) return [];
    return [
      {
        severity: 'WARNING',
        what: `${Math.round(ratio * 100)} % of its pages were found in memory.`,
        why: 'The rest was read from disk, hundreds of times slower.',
        mend: `psql -c "alter system set shared_buffers = '<a quarter of the memory>'"; and restart`,
      },
    ];
  },
};
