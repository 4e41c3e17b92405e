import type { Fault } from '../examination.js';
import { settingOf, type PostgresSubject } from './postgres-subject.js';

type Check = (subject: PostgresSubject) => Promise<Fault[]>;

/** Who uses it, who waits for whom, and whether others can take over. */
export const loadChecks: Readonly<Record<string, Check>> = {
  'postgres.connections': async ({ query, limits }) => {
    const [row] = await query<{ used: number; max: number; kept: number }>(
      `select count(*)::integer as used, current_setting('max_connections')::integer as max,
         current_setting('superuser_reserved_connections')::integer as kept
       from pg_stat_activity where backend_type = 'client backend'`,
    );
    const { used = 0, max = 0, kept = 0 } = row ?? {};
    // Administrators come in beyond that, and count among those who are there.
    const share = used / (max - kept);
    if (max === 0 || share < limits.connectionShareWarning) return [];
    return [
      {
        severity: share < limits.connectionShareCritical ? 'WARNING' : 'CRITICAL',
        what: `${used} of ${max} connections are taken, and ${kept} of them are kept for administrators.`,
        why: 'A service that needs one more fails its requests.',
        mend: 'Lower SLUICE_DATABASE_POOL_MAX, put PgBouncer between, or: alter system set max_connections = <more>; and restart',
      },
    ];
  },

  'postgres.transactions': async ({ query, limits }) => {
    const rows = await query<{ pid: number; seconds: number; state: string; name: string }>(
      `select pid, extract(epoch from now() - xact_start)::integer as seconds, state, application_name as name
       from pg_stat_activity where xact_start < now() - make_interval(secs => $1) and pid <> pg_backend_pid()
         and backend_type = 'client backend' order by xact_start limit 5`,
      [limits.transactionSeconds],
    );
    return rows.map(({ pid, seconds, state, name }) => ({
      severity: 'WARNING',
      what: `A transaction of ${name || 'somebody'} has been open for ${seconds} s (${state}).`,
      why: 'Nothing that was deleted since can be cleared away, so every table grows.',
      mend: `psql -c 'select pg_terminate_backend(${pid})'`,
    }));
  },

  'postgres.locks': async ({ query, limits }) => {
    const rows = await query<{ pid: number; seconds: number; name: string; by: number[] }>(
      `select a.pid, extract(epoch from clock_timestamp() - a.query_start)::integer as seconds, a.application_name as name,
         pg_blocking_pids(a.pid) as by
       from pg_stat_activity a where a.wait_event_type = 'Lock' and a.query_start < clock_timestamp() - make_interval(secs => $1)
       order by a.query_start limit 5`,
      [limits.lockSeconds],
    );
    return rows.map(({ pid, seconds, name, by }) => ({
      severity: 'CRITICAL',
      what: `${name || `The backend ${pid}`} has waited for a lock for ${seconds} s, held by ${by.join(', ') || 'nobody now'}.`,
      why: 'A migration that waits holds up its service, and whoever comes behind it waits too.',
      mend: by.map((blocker) => `psql -c 'select pg_terminate_backend(${blocker})'`).join('; '),
    }));
  },

  'postgres.replication': async ({ query, limits }) => {
    const [{ standby } = { standby: false }] = await query<{ standby: boolean }>(
      'select pg_is_in_recovery() as standby',
    );
    if (standby) {
      const mend =
        'Name the hosts with target_session_attrs=read-write in SLUICE_DATABASE_URL; or: select pg_promote()';
      return [{ severity: 'CRITICAL', what: 'It is a standby.', why: 'It takes no writes.', mend }];
    }
    const rows = await query<{ name: string; bytes: string | null; seconds: number | null; state: string | null }>(
      `select application_name as name, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) as bytes,
         extract(epoch from replay_lag)::integer as seconds, state from pg_stat_replication`,
    );
    if (rows.some(({ state }) => state === null)) throw new Error('the user is no member of pg_monitor');
    return rows
      .filter(
        ({ bytes, seconds }) => Number(bytes) > limits.replicaLagBytes || Number(seconds) > limits.replicaLagSeconds,
      )
      .map(({ name, bytes, seconds, state }) => ({
        severity: 'WARNING',
        what: `The standby ${name} is ${Number(bytes)} bytes and ${Number(seconds)} s behind (${state}).`,
        why: 'What it lacks is lost when it takes over, unless commits wait for it.',
        mend: `Look at its disk and network: psql -h ${name} -c 'select * from pg_stat_wal_receiver'`,
      }));
  },

  'postgres.slots': async ({ query, limits }) => {
    const rows = await query<{ name: string; bytes: string }>(
      `select slot_name as name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) as bytes from pg_replication_slots
       where not active and restart_lsn is not null and not pg_is_in_recovery()`,
    );
    return rows
      .filter(({ bytes }) => Number(bytes) > limits.retainedWalBytes)
      .map(({ name, bytes }) => ({
        severity: 'WARNING',
        what: `Nobody reads the replication slot ${name}, which keeps ${bytes} bytes of WAL.`,
        why: 'It keeps more with each write, until the disk is full and the database stops.',
        mend: `psql -c "select pg_drop_replication_slot('${name.replaceAll("'", "''")}')"`,
      }));
  },

  'postgres.pooling': async (subject) => {
    // Every connection of ours begins with time limits, which a pooler drops unless it is told to pass them on.
    if ((await settingOf(subject, 'statement_timeout')) !== '0') return [];
    const [row] = await subject.query<{ name: string }>('select current_user as name');
    const what = 'The time limits that services ask for do not reach it.';
    const why = 'A pooler drops them. A statement that hangs holds its connection and its locks for ever.';
    const limits = `statement_timeout = '15s', lock_timeout = '5s', idle_in_transaction_session_timeout = '15s'`;
    const mend = limits
      .split(', ')
      .map((limit) => `psql -c "alter role ${row?.name ?? 'sluice'} set ${limit}"`)
      .join('; ');
    return [{ severity: 'WARNING', what, why, mend }];
  },

  'postgres.tls': async ({ query }) => {
    const [row] = await query<{ ssl: boolean; local: boolean }>(
      `select ssl, coalesce(inet_server_addr() is null or inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1', true)
         as local from pg_stat_ssl where pid = pg_backend_pid()`,
    );
    if (!row || row.ssl || row.local) return [];
    const what = 'It is reached without TLS.';
    const why = 'Who listens on the way reads and changes everything.';
    return [{ severity: 'WARNING', what, why, mend: 'Add sslmode=verify-full to SLUICE_DATABASE_URL' }];
  },

  'postgres.durability': async (subject) => {
    const why = 'After a crash of the machine the database may be broken, or has lost what was acknowledged.';
    const faults: Fault[] = [];
    for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
      if ((await settingOf(subject, name)) !== 'off') continue;
      const mend = `psql -c 'alter system set ${name} = on' -c 'select pg_reload_conf()'`;
      faults.push({ severity: 'CRITICAL', what: `${name} is off.`, why, mend });
    }
    if ((await settingOf(subject, 'archive_mode')) === 'off') {
      const mend = `psql -c 'alter system set archive_mode = on'; with archive_command, as docs/backup.md has it`;
      const reason = 'It can be restored to its last dump, and to no moment after it.';
      faults.push({ severity: 'NOTICE', what: 'archive_mode is off.', why: reason, mend });
    }
    return faults;
  },
};
