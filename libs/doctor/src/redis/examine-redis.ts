import type { Redis } from 'ioredis';
import type { HealthReport } from '#libs/contracts';
import type { RedisRole } from '#libs/redis';
import { checkClock } from '../check-clock.js';
import { Examination } from '../examination.js';
import type { Thresholds } from '../thresholds.js';
import { accessChecks } from './access-checks.js';
import { durabilityChecks } from './durability-checks.js';
import { sampleKeys } from './key-families.js';
import { memoryChecks } from './memory-checks.js';
import { numberOf, parseInfo } from './redis-info.js';
import type { RedisSubject } from './redis-subject.js';
import { speedChecks } from './speed-checks.js';

const familiesTold = 10;
const checks = { ...accessChecks, ...memoryChecks, ...durabilityChecks, ...speedChecks };

/**
 * Everything that is to be known of one server in one role. Nothing is written, and no command looks at all keys.
 * `away` is why it could not be reached, where whoever connected knows.
 */
export async function examineRedis(
  client: Redis,
  role: RedisRole,
  limits: Thresholds,
  away?: string,
): Promise<HealthReport> {
  const examination = new Examination(`Redis ${role}`);
  const info = await readInfo({ client, role, away }, examination);
  if (!info) return examination.report;
  const subject: RedisSubject = { client, role, info, limits };
  for (const [name, check] of Object.entries(checks)) await examination.check(name, () => check(subject));
  await examination.check('redis.clock', () => checkClock(() => timeOf(client), limits.clockSkewMs));
  await examination.check('redis.large-keys', () => examineKeys(subject, examination));
  examination.measured('memory', numberOf(info, 'used_memory'), 'bytes');
  examination.measured('connections', numberOf(info, 'connected_clients'));
  examination.measured('commands per second', numberOf(info, 'instantaneous_ops_per_sec'));
  return examination.report;
}

/** Of a role of which no server is known. */
export function awayReport(role: RedisRole, away: string): HealthReport {
  const examination = new Examination(`Redis ${role}`);
  examination.found('redis.reachable', unreachable(away, role));
  return examination.report;
}

async function readInfo(
  { client, role, away }: { client: Redis; role: RedisRole; away: string | undefined },
  examination: Examination,
): Promise<RedisSubject['info'] | undefined> {
  try {
    return parseInfo(await client.info());
  } catch (error) {
    const message = away ?? (error instanceof Error ? error.message : String(error));
    if (message.startsWith('NOPERM')) examination.notChecked('redis.info', message);
    else examination.found('redis.reachable', unreachable(message, role));
    return undefined;
  }
}

function unreachable(message: string, role: RedisRole) {
  const severity = 'CRITICAL';
  const why = 'Without it nothing is asked, queued or signed in; without the cache every page is read from its store.';
  const names = `SLUICE_REDIS_${role.toUpperCase()}`;
  if (/^(NOAUTH|WRONGPASS)/.test(message)) {
    const mend = `Set ${names}_USERNAME and ${names}_PASSWORD to a user of it: redis-cli -u <${names}_URL> ACL WHOAMI`;
    return { severity, what: `It answers, and does not let us in: ${message}`, why, mend } as const;
  }
  const mend = `redis-cli -u <${names}_URL> PING; systemctl status redis`;
  return { severity, what: `It does not answer: ${message}`, why, mend } as const;
}

async function examineKeys({ client, limits }: RedisSubject, examination: Examination) {
  const { families, large, looked, total } = await sampleKeys(client, limits.keyBytesMax);
  examination.measured('keys', total);
  examination.measured('keys looked at', looked);
  for (const { name, bytes } of families.slice(0, familiesTold)) {
    examination.measured(`memory of ${name}`, bytes, 'bytes');
  }
  return large.map(({ key, bytes }) => ({
    severity: 'WARNING' as const,
    what: `A key of ${key} takes ${bytes} bytes.`,
    why: 'To read, to move or to delete it holds up every other command.',
    mend: `redis-cli --memkeys; streams are cut by their writers, so see that those run: sluice doctor --json`,
  }));
}

async function timeOf(client: Redis): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}
