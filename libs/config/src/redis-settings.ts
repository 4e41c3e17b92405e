import { z } from 'zod';
import { redisUrlText } from './redis-url.js';
import { secret, setting } from './setting.js';

// The return types are inferred: they are what ConfigOf reads.

type Role = 'broker' | 'cache' | 'session';

const variable = (role: Role, name: string): string => `SLUICE_REDIS_${role.toUpperCase()}_${name}`;

/** Who asks, where the URL does not say it. `isOwn`: the role has no settings in common with the others. */
function loginSettings(role: Role, isOwn: boolean) {
  const fallbacks = (name: string): string[] => (isOwn ? [] : [`SLUICE_REDIS_${name}`]);
  return {
    username: setting(variable(role, 'USERNAME'), z.string().optional(), {
      fallbacks: fallbacks('USERNAME'),
      describe: `The ACL user of the ${role} role, where the URL does not carry it.`,
    }),
    password: secret(variable(role, 'PASSWORD'), z.string().optional(), {
      fallbacks: fallbacks('PASSWORD'),
      describe: `The password of the ${role} role, where the URL does not carry it.`,
    }),
    sentinelUsername: setting(variable(role, 'SENTINEL_USERNAME'), z.string().optional(), {
      fallbacks: fallbacks('SENTINEL_USERNAME'),
      describe: `The user that the sentinels of the ${role} role ask for; the URL carries that of the data nodes.`,
    }),
    sentinelPassword: secret(variable(role, 'SENTINEL_PASSWORD'), z.string().optional(), {
      fallbacks: fallbacks('SENTINEL_PASSWORD'),
      describe: `The password that the sentinels of the ${role} role ask for.`,
    }),
  };
}

/** For URLs that begin with rediss; of the sentinels too. */
function tlsSettings(role: Role) {
  return {
    tlsCa: setting(variable(role, 'TLS_CA'), z.string().optional(), {
      fallbacks: ['SLUICE_REDIS_TLS_CA'],
      describe: 'The certificates in PEM that vouch for the servers. Not set: those that Node.js trusts.',
    }),
    tlsCertificate: setting(variable(role, 'TLS_CERTIFICATE'), z.string().optional(), {
      fallbacks: ['SLUICE_REDIS_TLS_CERTIFICATE'],
      describe: 'Our certificate in PEM, for servers that ask for one.',
    }),
    tlsKey: secret(variable(role, 'TLS_KEY'), z.string().optional(), {
      fallbacks: ['SLUICE_REDIS_TLS_KEY'],
      describe: 'The private key of that certificate, in PEM.',
    }),
    tlsServerName: setting(variable(role, 'TLS_SERVER_NAME'), z.string().optional(), {
      fallbacks: ['SLUICE_REDIS_TLS_SERVER_NAME'],
      describe:
        'The name that the certificates are for, where it is not that of the URL: addresses, sentinels, a cluster, a proxy.',
    }),
  };
}

/** The three roles of Redis. With SLUICE_REDIS_URL alone it serves broker and session, and the cache role is off. */
export const redisSettings = {
  prefix: setting('SLUICE_REDIS_PREFIX', z.string().regex(/^[a-z][a-z0-9-]{0,30}$/), {
    default: 'sluice',
    describe: 'The prefix of every key, so that several installations can share a Redis.',
  }),
  broker: {
    url: setting(variable('broker', 'URL'), redisUrlText, {
      fallbacks: ['SLUICE_REDIS_URL'],
      describe:
        'The Redis of bus and queue: noeviction, AOF. As all of them redis://, rediss://, redis+sentinel://, redis+cluster:// (docs/redis.md) or unix:///path/of/the/socket.',
    }),
    ...loginSettings('broker', false),
    ...tlsSettings('broker'),
  },
  session: {
    url: setting(variable('session', 'URL'), redisUrlText.optional(), {
      fallbacks: ['SLUICE_REDIS_URL'],
      describe: 'The Redis of sessions: noeviction, AOF. Not set: SLUICE_REDIS_URL.',
    }),
    ...loginSettings('session', false),
    ...tlsSettings('session'),
  },
  cache: {
    url: setting(variable('cache', 'URL'), redisUrlText.optional(), {
      describe:
        'The Redis of copies that may vanish (pages of results, with SLUICE_STORE=s3): allkeys-lru. Not set: no copies are kept.',
    }),
    ...loginSettings('cache', true),
    ...tlsSettings('cache'),
  },
};
