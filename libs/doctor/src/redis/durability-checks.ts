import { readFile } from 'node:fs/promises';
import type { Fault } from '../examination.js';
import { numberOf, partsOf } from './redis-info.js';
import { isLocal, settingOf, type RedisSubject } from './redis-subject.js';

/** What outlives a crash of the server, and whether another one can take over. */
export const durabilityChecks: Readonly<Record<string, (subject: RedisSubject) => Promise<Fault[]> | Fault[]>> = {
  'redis.persistence': ({ info, role }) => {
    const hasLog = info.get('aof_enabled') === '1';
    if (role === 'cache') {
      if (!hasLog) return [];
      const what = 'It keeps an append-only file.';
      return [
        { severity: 'NOTICE', what, why: 'Copies need none.', mend: 'redis-cli CONFIG SET appendonly no save ""' },
      ];
    }
    if (!hasLog) {
      return [
        {
          severity: 'CRITICAL',
          what: 'It keeps no append-only file (appendonly no).',
          why: 'After a crash all messages, jobs and sessions since the last snapshot are gone.',
          mend: 'redis-cli CONFIG SET appendonly yes; and in redis.conf',
        },
      ];
    }
    const failed = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'].filter(
      (name) => (info.get(name) ?? 'ok') !== 'ok',
    );
    if (failed.length === 0) return [];
    return [
      {
        severity: 'CRITICAL',
        what: `It could not write to its disk (${failed.join(', ')}).`,
        why: 'What it holds is lost with its next restart, and it may refuse writes.',
        mend: 'Make room on its disk: df -h; then redis-cli BGREWRITEAOF',
      },
    ];
  },

  'redis.appendfsync': async (subject) => {
    if (subject.role === 'cache' || subject.info.get('aof_enabled') !== '1') return [];
    const value = await settingOf(subject, 'appendfsync');
    if (value === 'everysec' || value === undefined) return [];
    const why =
      value === 'no'
        ? 'The system may lose half a minute of messages and sessions with the machine.'
        : 'Every write waits for the disk; nothing here needs that, as PostgreSQL is the truth.';
    const mend = 'redis-cli CONFIG SET appendfsync everysec; and in redis.conf';
    return [{ severity: value === 'no' ? 'WARNING' : 'NOTICE', what: `appendfsync is ${value}.`, why, mend }];
  },

  'redis.replication': async (subject) => {
    const { info, role } = subject;
    if (role === 'cache') return [];
    if (info.get('role') !== 'master') {
      const isLinked = info.get('master_link_status') === 'up';
      const what = `It is a replica${isLinked ? '' : ', and has lost its master'}.`;
      const mend = 'Point SLUICE_REDIS_*_URL at the master, or: redis-cli REPLICAOF NO ONE';
      return [{ severity: 'CRITICAL', what, why: 'A replica takes no writes.', mend }];
    }
    return [...aloneFault(subject), ...laggingFaults(subject), ...(await unconfirmedFault(subject))];
  },

  'redis.host': async (subject) => {
    // Of another machine nothing is known by looking at this one.
    if (!isLocal(subject) || process.platform !== 'linux') return [];
    const why = 'The fork of a save or of a rewrite may fail, or stall every command.';
    const faults: Fault[] = [];
    if ((await readFile('/proc/sys/vm/overcommit_memory', 'utf8')).trim() === '0') {
      const what = 'vm.overcommit_memory is 0.';
      faults.push({ severity: 'NOTICE', what, why, mend: 'sysctl vm.overcommit_memory=1' });
    }
    const pages = await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').catch(() => '');
    if (pages.includes('[always]')) {
      const mend = 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled';
      faults.push({ severity: 'NOTICE', what: 'Transparent huge pages are always on.', why, mend });
    }
    return faults;
  },
};

function aloneFault({ info }: RedisSubject): Fault[] {
  if (numberOf(info, 'connected_slaves') > 0) return [];
  const why = 'While it is away nothing is asked, queued or signed in, and its disk is the only one.';
  const mend = 'Start a replica: redis-server --replicaof <host> <port>; and Sentinel, as deploy/redis has it';
  return [{ severity: 'NOTICE', what: 'It has no replica.', why, mend }];
}

function laggingFaults({ info, limits }: RedisSubject): Fault[] {
  const offset = numberOf(info, 'master_repl_offset');
  return [...info]
    .filter(([name]) => /^slave\d+$/.test(name))
    .flatMap(([, value]) => {
      const parts = partsOf(value);
      const behind = offset - Number(parts.get('offset') ?? offset);
      const lag = Number(parts.get('lag') ?? 0);
      const isOnline = parts.get('state') === 'online';
      if (isOnline && lag <= limits.replicaLagSeconds && behind <= limits.replicaLagBytes) return [];
      const where = `${parts.get('ip')}:${parts.get('port')}`;
      const what = `The replica ${where} is ${isOnline ? `${lag} s and ${behind} bytes behind` : `in state ${parts.get('state')}`}.`;
      const why = 'What it lacks is lost when it takes over.';
      const mend = `redis-cli -h ${parts.get('ip')} -p ${parts.get('port')} INFO replication; look at its network and disk`;
      return [{ severity: 'WARNING' as const, what, why, mend }];
    });
}

/** With a replica that is to take over, a master that is cut off must stop to take writes. */
async function unconfirmedFault(subject: RedisSubject): Promise<Fault[]> {
  if (numberOf(subject.info, 'connected_slaves') === 0) return [];
  if ((await settingOf(subject, 'min-replicas-to-write')) !== '0') return [];
  const what = 'min-replicas-to-write is 0.';
  const why = 'A master that is cut off goes on taking writes, which are lost when it comes back as a replica.';
  const mend = 'redis-cli CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10';
  return [{ severity: 'WARNING', what, why, mend }];
}
