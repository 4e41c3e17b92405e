import { describe, expect, it } from 'vitest';
import type { HealthReport } from '#libs/contracts';
import { checkPools, measured } from './check-pools.js';

function reportOf(instances: number, isPooled = false): HealthReport {
  const of = (subject: string, name: string, value: number) => ({ subject, name, value, unit: '' });
  return {
    findings: [],
    notChecked: [],
    measurements: [
      of('PostgreSQL sluice', measured.connectionsMax, 97),
      of('Bus', measured.instances('auth'), instances),
      ...['auth', 'results'].flatMap((service) => [
        of(`Service ${service}`, measured.poolMax, 10),
        ...(isPooled ? [of(`Service ${service}`, measured.isPooled, 1)] : []),
      ]),
    ],
  };
}

const found = (report: HealthReport): string[] => checkPools(report).findings.map(({ what }) => what);

describe('the sum of the pools', () => {
  it('is a finding where PostgreSQL has no room for the pools of all instances', () => {
    expect(found(reportOf(9))).toEqual(['The pools may take 100 connections (auth 90, results 10) of 97.']);
  });

  it('is none where there is room, or a pooler between', () => {
    expect([found(reportOf(8)), found(reportOf(9, true))]).toEqual([[], []]);
  });
});
