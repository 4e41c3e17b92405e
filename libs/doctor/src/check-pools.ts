import type { HealthReport } from '#libs/contracts';
import { Examination, joinReports } from './examination.js';

/** Names of measurements that are summed here, from those who know them. */
export const measured = {
  connectionsMax: 'connections at most',
  poolMax: 'connections of one instance at most',
  isPooled: 'pooler between',
  instances: (service: string) => `instances of ${service}`,
} as const;

/**
 * Whether PostgreSQL has room for the pools of all instances at once. Only all reports together tell: the bus how many instances
 * there are, each service how large its pool is, PostgreSQL how much it takes. Behind a pooler they may be more.
 */
export function checkPools(report: HealthReport): HealthReport {
  const values = new Map(report.measurements.map(({ subject, name, value }) => [`${subject}/${name}`, value]));
  const limits = report.measurements.filter(({ name }) => name === measured.connectionsMax);
  const pools = report.measurements.filter(({ name, subject }) => {
    return name === measured.poolMax && values.get(`${subject}/${measured.isPooled}`) !== 1;
  });
  const wanted = pools.map(({ subject, value }) => {
    const service = subject.replace(/^Service /, '');
    return { service, count: value * Math.max(1, values.get(`Bus/${measured.instances(service)}`) ?? 1) };
  });
  const sum = wanted.reduce((total, { count }) => total + count, 0);
  const [limit, ...others] = limits;
  // Of several servers nobody knows whose pool is at which.
  if (!limit || others.length > 0 || sum <= limit.value) return report;
  const examination = new Examination(limit.subject);
  examination.found('postgres.pools', {
    severity: 'WARNING',
    what: `The pools may take ${sum} connections (${wanted.map((each) => `${each.service} ${each.count}`).join(', ')}) of ${limit.value}.`,
    why: 'Under load the last that come are refused, though each pool keeps its own limit.',
    mend: 'Lower SLUICE_DATABASE_POOL_MAX, or put PgBouncer between, as docs/postgres.md has it',
  });
  return joinReports([report, examination.report]);
}
