import { groupsOf, type GroupState } from '#libs/bus';
import { eventStreams, requestsByService, type EventArea, type HealthReport, type ServiceName } from '#libs/contracts';
import type { RedisConnections } from '#libs/redis';
import { measured } from '../check-pools.js';
import { Examination, type Fault } from '../examination.js';
import type { Thresholds } from '../thresholds.js';
import { queueFaults } from './queue-faults.js';

/** The streams of the bus: who is behind, what was begun and not ended, what was given up; and the lanes of BullMQ. */
export async function examineBus(redis: RedisConnections, limits: Thresholds): Promise<HealthReport> {
  const examination = new Examination('Bus');
  const [seconds] = await redis.client('broker').time();
  const nowMs = Number(seconds) * 1_000;
  for (const area of Object.keys(eventStreams) as EventArea[]) {
    await examination.check('bus.events', () => eventFaults(redis, area, nowMs, limits));
    await examination.check('bus.dead-letters', () => deadLetterFaults(redis, area));
  }
  for (const service of Object.keys(requestsByService) as ServiceName[]) {
    await examination.check('bus.requests', () => requestFaults(redis, service, nowMs, limits));
    await examination.check('bus.instances', async () => {
      examination.measured(measured.instances(service), await instancesOf(redis, service));
      return [];
    });
  }
  await examination.check('queue.jobs', () => queueFaults(redis, nowMs, limits));
  return examination.report;
}

/** Each instance reads as a consumer of its own, and those that are gone are cleared away. */
async function instancesOf(redis: RedisConnections, service: ServiceName): Promise<number> {
  const groups = await groupsOf(redis.client('broker'), redis.keys.requests(service));
  return groups.find(({ name }) => name === service)?.consumers ?? 0;
}

async function eventFaults(
  redis: RedisConnections,
  area: EventArea,
  nowMs: number,
  limits: Thresholds,
): Promise<Fault[]> {
  const key = redis.keys.events(area, eventStreams[area].version);
  const groups = await groupsOf(redis.client('broker'), key);
  return groups.flatMap((group) => [...lagFault(group, area, limits), ...pendingFault(group, area, nowMs, limits)]);
}

function lagFault({ name, lag }: GroupState, area: EventArea, { streamLag }: Thresholds): Fault[] {
  if (lag <= streamLag) return [];
  const what = `${name} has ${lag} events of ${area} to read yet.`;
  const why = 'What they tell is not done: caches stay stale, the audit log stays behind.';
  return [
    {
      severity: 'WARNING',
      what,
      why,
      mend: `Start more of ${name}: kubectl scale deployment/${name} --replicas=<more>`,
    },
  ];
}

function pendingFault(group: GroupState, area: EventArea, nowMs: number, { pendingSeconds }: Thresholds): Fault[] {
  const { name, pending, oldestPending } = group;
  if (oldestPending === undefined) return [];
  const ageSeconds = (nowMs - millisOf(oldestPending)) / 1_000;
  if (ageSeconds <= pendingSeconds) return [];
  const what = `${name} has begun ${pending} events of ${area} and not ended them, the oldest ${Math.round(ageSeconds)} s old.`;
  const why = 'Its handler fails again and again, or nobody takes over from an instance that died.';
  return [
    { severity: 'WARNING', what, why, mend: `journalctl -u sluice@${name} | grep 'event'; then restart ${name}` },
  ];
}

async function deadLetterFaults(redis: RedisConnections, area: EventArea): Promise<Fault[]> {
  const key = redis.keys.deadLetters(redis.keys.events(area, eventStreams[area].version));
  const count = await redis.client('broker').xlen(key);
  if (count === 0) return [];
  const what = `${count} events of ${area} were given up.`;
  const why = 'What they tell was never done, and is not tried again by itself.';
  return [{ severity: 'CRITICAL', what, why, mend: `Mend what failed, then: sluice redrive --area ${area}` }];
}

/** A request is deleted as it is taken: what is there and old, nobody takes. */
async function requestFaults(
  redis: RedisConnections,
  service: ServiceName,
  nowMs: number,
  { requestSeconds }: Thresholds,
): Promise<Fault[]> {
  const client = redis.client('broker');
  const key = redis.keys.requests(service);
  const [first] = await client.xrange(key, '-', '+', 'COUNT', 1);
  if (!first) return [];
  const ageSeconds = (nowMs - millisOf(first[0])) / 1_000;
  if (ageSeconds <= requestSeconds) return [];
  const what = `${await client.xlen(key)} requests to ${service} wait, the oldest for ${Math.round(ageSeconds)} s.`;
  const why = `No ${service} takes them: whoever asks gets no answer.`;
  return [
    { severity: 'CRITICAL', what, why, mend: `systemctl start sluice@${service}; see its log for why it is not there` },
  ];
}

function millisOf(entryId: string): number {
  return Number(entryId.split('-')[0]);
}
