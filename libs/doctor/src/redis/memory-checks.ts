import { policyFault } from '#libs/redis';
import type { Fault } from '../examination.js';
import { numberOf } from './redis-info.js';
import { settingOf, type RedisSubject } from './redis-subject.js';

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** How much it may hold, what it does when that is full, and how well it uses it. */
export const memoryChecks: Readonly<Record<string, (subject: RedisSubject) => Promise<Fault[]> | Fault[]>> = {
  'redis.eviction-policy': async ({ client, role }) => {
    const fault = await policyFault(client, role);
    if (fault === undefined) return [];
    const policy = role === 'cache' ? 'allkeys-lru' : 'noeviction';
    const why =
      role === 'cache'
        ? 'A full cache refuses to keep anything new, and every question goes to its source.'
        : 'When memory is short Redis drops messages, jobs or sessions, and tells nobody.';
    const mend = `redis-cli CONFIG SET maxmemory-policy ${policy}; and in redis.conf`;
    return [{ severity: role === 'cache' ? 'WARNING' : 'CRITICAL', what: sentence(fault), why, mend }];
  },

  'redis.maxmemory': ({ info, role, limits }) => {
    const [used, max] = [numberOf(info, 'used_memory'), numberOf(info, 'maxmemory')];
    if (max === 0) {
      return [
        {
          severity: 'WARNING',
          what: 'maxmemory is not set.',
          why: 'It grows until the system kills it, instead of refusing or dropping what is too much.',
          mend: 'redis-cli CONFIG SET maxmemory <bytes>; the sizes are in docs/redis.md',
        },
      ];
    }
    const share = used / max;
    // A cache is full once it has been used for long enough.
    if (role === 'cache' || share < limits.memoryShareWarning) return [];
    return [
      {
        severity: share < limits.memoryShareCritical ? 'WARNING' : 'CRITICAL',
        what: `${percent(share)} of maxmemory is used.`,
        why: 'Full, it refuses writes, or drops what is needed.',
        mend: `redis-cli CONFIG SET maxmemory ${Math.ceil(max * 1.5)}; see what fills it: sluice doctor --json`,
      },
    ];
  },

  // What a cache drops is what it is for.
  'redis.evictions': ({ info, role }) => {
    const evicted = numberOf(info, 'evicted_keys');
    if (role === 'cache' || evicted === 0) return [];
    const what = `${evicted} keys were dropped for lack of memory.`;
    const why = 'They were messages, jobs or sessions.';
    const mend = 'redis-cli CONFIG SET maxmemory-policy noeviction; raise maxmemory; then redis-cli CONFIG RESETSTAT';
    return [{ severity: 'CRITICAL', what, why, mend }];
  },

  'redis.fragmentation': ({ info, limits }) => {
    if (numberOf(info, 'used_memory') < limits.memoryBytesMin) return [];
    const ratio = numberOf(info, 'mem_fragmentation_ratio');
    if (ratio < 1 && ratio > 0) {
      const what = `Only ${percent(ratio)} of its memory is in RAM.`;
      const why = 'The rest was swapped out, and each touch of it waits for the disk.';
      return [{ severity: 'CRITICAL', what, why, mend: 'Give the machine more memory, or: swapoff -a' }];
    }
    if (ratio <= limits.fragmentationMax) return [];
    const what = `It takes ${ratio} times the memory of what it holds.`;
    const why = 'The rest is lost to gaps between what was deleted.';
    return [
      { severity: 'WARNING', what, why, mend: 'redis-cli CONFIG SET activedefrag yes; or redis-cli MEMORY PURGE' },
    ];
  },

  'redis.hit-ratio': ({ info, role, limits }) => {
    const [hits, misses] = [numberOf(info, 'keyspace_hits'), numberOf(info, 'keyspace_misses')];
    const ratio = hits / (hits + misses);
    // Most of what was not found was never there, unless about as much was dropped: more memory would not have it.
    if (role !== 'cache' || numberOf(info, 'evicted_keys') < misses / 2) return [];
    if (hits + misses < limits.lookupsMin || ratio >= limits.hitRatioMin) return [];
    const what = `${percent(ratio)} of the lookups were answered.`;
    const why = 'The rest was read from the result store, which is slower and dearer.';
    return [{ severity: 'WARNING', what, why, mend: 'Raise maxmemory of the cache; then redis-cli CONFIG RESETSTAT' }];
  },

  'redis.lazyfree': async (subject) => {
    if (subject.role !== 'cache') return [];
    if ((await settingOf(subject, 'lazyfree-lazy-eviction')) !== 'no') return [];
    const what = 'What is dropped is freed at once (lazyfree-lazy-eviction no).';
    const why = 'A large key that is dropped holds up every other command.';
    return [{ severity: 'NOTICE', what, why, mend: 'redis-cli CONFIG SET lazyfree-lazy-eviction yes' }];
  },
};

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
