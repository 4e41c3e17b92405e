import { createHash } from 'node:crypto';

export interface Filling {
  /** SLUICE_REDIS_PREFIX of the installation; it begins its users' names too, as several can share a Redis. */
  readonly prefix?: string;
  /** By the name without prefix, such as `gateway`; undefined leaves the user switched off. */
  readonly passwordOf: (user: string) => string | undefined;
}

const line = /^user sluice([-_])(\S+) off (.*)$/;

/** An ACL file for Redis from one of users-<role>.acl: every user that has a password is on, with the hash of it. */
export function fillUsers(users: string, { prefix = 'sluice', passwordOf }: Filling): string {
  return users
    .split('\n')
    .map((text) => {
      const [, sign = '', name = '', rules = ''] = line.exec(text) ?? [];
      if (name === '') return text;
      const password = passwordOf(name);
      const state = password === undefined ? 'off' : `on #${createHash('sha256').update(password).digest('hex')}`;
      const ofPrefix = rules.replaceAll('~sluice:', `~${prefix}:`).replaceAll('~{sluice:bull}', `~{${prefix}:bull}`);
      return `user ${prefix}${sign}${name} ${state} ${ofPrefix}`;
    })
    .join('\n');
}

/** The names without prefix, in their order. */
export function usersIn(users: string): string[] {
  return users.split('\n').flatMap((text) => line.exec(text)?.[2] ?? []);
}
