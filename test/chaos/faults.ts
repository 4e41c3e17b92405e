import { delay } from '#libs/kernel';
import { Redis } from 'ioredis';
import { waitForPostgres } from '../../deploy/local/postgres.ts';
import { waitForRedis } from '../../deploy/local/redis.ts';
import type { ServiceName } from '../../deploy/local/mesh.ts';
import type { TestMesh } from '../support/test-mesh.js';

export interface Fault {
  name: string;
  /** Does the harm and mends it; resolves when all that was ended has been started again. */
  inject: (mesh: TestMesh) => Promise<void>;
}

/** The lease that the services run under in this suite; see quick-settings. */
const leaseMs = 3_000;

function killed(service: ServiceName): Fault {
  return {
    name: `kill -9 of ${service}`,
    inject: async ({ mesh }) => {
      await mesh.child(service).kill();
      // A supervisor takes its time; what was in flight must bear it.
      await delay(500);
      mesh.child(service).start();
      await mesh.waitForService(service);
    },
  };
}

/** As a deployment does it: SIGTERM, time to finish, and a new process. */
function restarted(service: ServiceName): Fault {
  return {
    name: `orderly restart of ${service}`,
    inject: async ({ mesh }) => {
      await mesh.child(service).stop();
      mesh.child(service).start();
      await mesh.waitForService(service);
    },
  };
}

function stopped(what: string, child: (mesh: TestMesh) => string, forMs: number): Fault {
  return {
    name: `SIGSTOP of ${what} for ${forMs / 1_000} s`,
    inject: async (started) => {
      const process = started.mesh.child(child(started));
      process.signal('SIGSTOP');
      try {
        await delay(forMs);
      } finally {
        process.signal('SIGCONT');
      }
    },
  };
}

const flushed: Fault = {
  name: 'Redis FLUSHALL',
  inject: async ({ mesh }) => {
    const redis = new Redis(mesh.brokerUrl, { maxRetriesPerRequest: 1 });
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
  },
};

const redisRestarted: Fault = {
  name: 'Redis restart',
  inject: async ({ mesh }) => {
    await mesh.child('redis-broker').kill();
    await delay(500);
    mesh.child('redis-broker').start();
    await waitForRedis(mesh.brokerUrl);
  },
};

const cacheGone: Fault = {
  name: 'restart of the cache',
  inject: async ({ mesh }) => {
    await mesh.child('redis-cache').kill();
    await delay(500);
    mesh.child('redis-cache').start();
  },
};

/** Under noeviction nothing can be written any more, while what is there can be read and taken away. */
const outOfMemory: Fault = {
  name: 'Redis out of memory for 3 s',
  inject: async ({ mesh }) => {
    const redis = new Redis(mesh.brokerUrl, { maxRetriesPerRequest: 1 });
    try {
      const [, usual = '0'] = await redis.config('GET', 'maxmemory').then((answer) => answer as string[]);
      await redis.config('SET', 'maxmemory', '100kb');
      await delay(3_000);
      await redis.config('SET', 'maxmemory', usual);
    } finally {
      redis.disconnect();
    }
  },
};

const postgresRestarted: Fault = {
  name: 'PostgreSQL restart',
  inject: async ({ mesh }) => {
    await mesh.child('postgres').stop();
    mesh.child('postgres').start();
    await waitForPostgres(mesh.postgresUrl('postgres'));
  },
};

/** Once each in the short run; in chance order, again and again, in the long one. */
export const faults: readonly Fault[] = [
  killed('worker'),
  killed('orchestrator'),
  killed('results'),
  killed('gateway'),
  killed('metadata'),
  killed('auth'),
  restarted('worker'),
  restarted('gateway'),
  flushed,
  redisRestarted,
  outOfMemory,
  stopped('Redis', () => 'redis-broker', 3_000),
  stopped('a worker', () => 'worker', 2 * leaseMs),
  stopped('a gateway', () => 'gateway', 4_000),
  cacheGone,
  postgresRestarted,
];
