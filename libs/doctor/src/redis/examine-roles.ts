import { Cluster, type Redis } from 'ioredis';
import type { HealthReport } from '#libs/contracts';
import type { RedisConnections, RedisRole } from '#libs/redis';
import { Examination, joinReports, type Fault } from '../examination.js';
import { thresholds, type Thresholds } from '../thresholds.js';
import { examineBus } from './examine-bus.js';
import { awayReport, examineRedis } from './examine-redis.js';
import { numberOf, parseInfo } from './redis-info.js';

const roles: readonly RedisRole[] = ['broker', 'session', 'cache'];
const connectMs = 3_000;

/** The Redis of every role that is set, the bus in it, and how the roles share servers. */
export async function examineRoles(redis: RedisConnections, limits: Thresholds = thresholds): Promise<HealthReport> {
  const used = roles.filter((role) => redis.has(role));
  await Promise.all(used.map((role) => redis.ready(role, connectMs)));
  const ofRoles = await Promise.all(
    used.flatMap((role) => {
      // Asked now, as a connection that comes later takes its reason with it.
      const away = redis.isReady(role) ? undefined : redis.whyAway(role);
      const nodes = nodesOf(redis.client(role));
      // A Cluster of which no node has answered knows none.
      if (nodes.length === 0) return [Promise.resolve(awayReport(role, away ?? redis.whyAway(role)))];
      return nodes.map((node) => examineRedis(node, role, limits, away));
    }),
  );
  const isThere = redis.isReady('broker');
  const others = isThere ? [await examineBus(redis, limits), await examineSharing(redis, used, limits)] : [];
  return joinReports([...ofRoles, ...others]);
}

/** A cluster is as many servers as it has masters. */
function nodesOf(client: Redis | Cluster): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

async function examineSharing(
  redis: RedisConnections,
  used: readonly RedisRole[],
  limits: Thresholds,
): Promise<HealthReport> {
  const examination = new Examination('Redis roles');
  await examination.check('redis.shared', async () => {
    const infos = await Promise.all(
      used.map(async (role) => ({ role, info: parseInfo(await redis.client(role).info()) })),
    );
    const shared = [...Map.groupBy(infos, ({ info }) => info.get('run_id')).values()].filter(
      ({ length }) => length > 1,
    );
    return shared.flatMap((group): Fault[] => {
      const names = group.map(({ role }) => role);
      const mend =
        'Set SLUICE_REDIS_BROKER_URL, SLUICE_REDIS_SESSION_URL and SLUICE_REDIS_CACHE_URL to servers of their own';
      if (names.includes('cache')) {
        const what = `${names.join(' and ')} share one server.`;
        return [
          {
            severity: 'CRITICAL',
            what,
            why: 'Copies drive out messages, or fill what may not be dropped.',
            mend,
          },
        ];
      }
      const operations = numberOf(group[0]?.info ?? new Map(), 'instantaneous_ops_per_sec');
      if (operations < limits.sharedOperationsMax) return [];
      const what = `${names.join(' and ')} share one server, which does ${operations} commands a second.`;
      return [{ severity: 'WARNING', what, why: 'A saturated bus keeps users from signing in.', mend }];
    });
  });
  return examination.report;
}
