import type { Fault } from '../examination.js';
import { numberOf } from './redis-info.js';
import { settingOf, type RedisSubject } from './redis-subject.js';

const slowEntriesMax = 50;

/** What holds up its one thread, and whether there is room for who comes next. */
export const speedChecks: Readonly<Record<string, (subject: RedisSubject) => Promise<Fault[]> | Fault[]>> = {
  'redis.fork': ({ info, limits }) => {
    const ms = numberOf(info, 'latest_fork_usec') / 1_000;
    if (ms <= limits.forkMsMax) return [];
    const what = `Its last fork took ${Math.round(ms)} ms.`;
    const why = 'For so long every command waits, with each save and each rewrite.';
    const mend = 'Hold less in one server, or: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled';
    return [{ severity: 'WARNING', what, why, mend }];
  },

  'redis.latency-monitor': async (subject) => {
    if ((await settingOf(subject, 'latency-monitor-threshold')) !== '0') return [];
    const what = 'latency-monitor-threshold is 0.';
    const why = 'It records no spikes, so that nobody can say afterwards what was slow.';
    return [{ severity: 'NOTICE', what, why, mend: 'redis-cli CONFIG SET latency-monitor-threshold 100' }];
  },

  'redis.latency': async ({ client, limits }) => {
    const events: unknown = await client.call('LATENCY', 'LATEST');
    if (!Array.isArray(events)) return [];
    return events.flatMap((event: unknown) => {
      if (!Array.isArray(event)) return [];
      const [name, at, lastMs, maxMs] = event.map(String);
      if (Number(maxMs) <= limits.latencyMsMax) return [];
      const when = new Date(Number(at) * 1_000).toISOString();
      const what = `A spike of ${maxMs} ms by ${name}; the last, of ${lastMs} ms, at ${when}.`;
      const why = 'For so long every command waited.';
      return [
        { severity: 'WARNING' as const, what, why, mend: 'redis-cli LATENCY DOCTOR; then redis-cli LATENCY RESET' },
      ];
    });
  },

  'redis.slowlog': async ({ client, limits }) => {
    const entries: unknown = await client.call('SLOWLOG', 'GET', slowEntriesMax);
    const since = Date.now() / 1_000 - limits.slowCommandAgeSeconds;
    const slow = new Map<string, number>();
    for (const entry of Array.isArray(entries) ? (entries as unknown[]) : []) {
      const command = slowCommandOf(entry, since);
      if (command) slow.set(command.name, Math.max(slow.get(command.name) ?? 0, command.ms));
    }
    return [...slow]
      .filter(([, ms]) => ms > limits.slowCommandMsMax)
      .map(([name, ms]) => ({
        severity: 'WARNING',
        what: `${name} took ${Math.round(ms)} ms.`,
        why: 'For so long every other command waited. No command of Sluice does; so look who sends it.',
        mend: 'redis-cli SLOWLOG GET 10; refuse the command by ACL: redis-cli ACL SETUSER <user> -<command>',
      }));
  },

  'redis.connections': ({ info, limits }) => {
    const [used, max] = [numberOf(info, 'connected_clients'), numberOf(info, 'maxclients')];
    const rejected = numberOf(info, 'rejected_connections');
    const faults: Fault[] = [];
    const mend = 'redis-cli CONFIG SET maxclients <more>; see who has them: redis-cli CLIENT LIST';
    if (max > 0 && used / max >= limits.connectionShareWarning) {
      const severity = used / max >= limits.connectionShareCritical ? 'CRITICAL' : 'WARNING';
      const what = `${used} of ${max} connections are taken.`;
      faults.push({ severity, what, why: 'Who comes next is refused.', mend });
    }
    if (rejected > 0) {
      const what = `${rejected} connections were refused since it started.`;
      faults.push({ severity: 'WARNING', what, why: 'A service that cannot connect does nothing.', mend });
    }
    return faults;
  },
};

/** Its name alone: the arguments may be somebody's data. */
function slowCommandOf(entry: unknown, since: number): { name: string; ms: number } | undefined {
  if (!Array.isArray(entry)) return undefined;
  const [, at, micros, args] = entry as unknown[];
  if (Number(at) < since || !Array.isArray(args)) return undefined;
  return { name: String(args[0]).toUpperCase(), ms: Number(micros) / 1_000 };
}
