import type { LoadResult } from './run-load.ts';

export const bounds = { cachedDashboardP95Ms: 500, errorRate: 0.001, memoryGrowth: 0.1 };

/** What a load test has missed, in words; nothing where all was met. */
export function missedBy({ cachedDashboards, errorRate, memory }: LoadResult): string[] {
  const grown = memory.filter(
    ({ firstMb, lastMb }) => lastMb > firstMb * (1 + bounds.memoryGrowth) && lastMb - firstMb > 20,
  );
  return [
    ...(cachedDashboards.p95Ms < bounds.cachedDashboardP95Ms
      ? []
      : [
          `p95 of a cached dashboard ${cachedDashboards.p95Ms.toFixed(0)} ms, not below ${bounds.cachedDashboardP95Ms}`,
        ]),
    ...(errorRate < bounds.errorRate ? [] : [`error rate ${(errorRate * 100).toFixed(3)} %, not below 0.1 %`]),
    ...grown.map(({ name, firstMb, lastMb }) => `memory of ${name} ${firstMb.toFixed(0)} to ${lastMb.toFixed(0)} MB`),
  ];
}
