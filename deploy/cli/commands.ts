import type { Command } from 'commander';

interface ListedCommand {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** What `sluice` can do, in the order of its help. */
export const commands: readonly ListedCommand[] = [
  {
    name: 'doctor',
    summary: 'say what is wrong with this installation, and what mends it',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'redrive',
    summary: 'send the dead letters of an area of events once more',
    load: async () => (await import('./commands/redrive.ts')).redrive,
  },
  {
    name: 'rotate-keys',
    summary: 'seal all that is kept under the present master key',
    load: async () => (await import('./commands/rotate-keys.ts')).rotateKeys,
  },
  {
    name: 'new-master-key',
    summary: 'make a master key for SLUICE_MASTER_KEYS',
    load: async () => (await import('./commands/new-master-key.ts')).newMasterKey,
  },
  {
    name: 'capacity',
    summary: 'what must stand ready for so many users, and when it will not suffice',
    load: async () => (await import('./commands/capacity.ts')).capacity,
  },
  {
    name: 'report',
    summary: 'what data sources have run and the cache has spared them',
    load: async () => (await import('./commands/report.ts')).report,
  },
  {
    name: 'config',
    summary: 'print and check the settings of a service',
    load: async () => (await import('./commands/config.ts')).config,
  },
  {
    name: 'redis-users',
    summary: 'print the ACL file of a Redis, with a user for each service',
    load: async () => (await import('./commands/redis-users.ts')).redisUsers,
  },
  {
    name: 'new-secrets',
    summary: 'make all secrets of a new installation',
    load: async () => (await import('./commands/new-secrets.ts')).newSecrets,
  },
];
