import type { CapacityCosts } from '../capacity/costs.ts';
import { daysMin, forecast } from '../capacity/forecast.ts';
import { measureGrowth } from '../capacity/growth.ts';
import { limitsOf } from '../capacity/limits.ts';
import { History } from '../history/history.ts';
import type { Replicas } from './replicas.ts';
import { shown, table } from './table.ts';

export interface ForecastOptions {
  readonly within: number;
  readonly replicas: Replicas;
  readonly utilizationMax: number;
  readonly socketsPerGateway: number;
  readonly databaseGb?: number;
  readonly json: boolean;
}

/** @returns the exit code: 3 where a limit is met soon */
export async function printForecast(options: ForecastOptions, costs: CapacityCosts): Promise<number> {
  const { within, replicas, utilizationMax, socketsPerGateway, databaseGb, json } = options;
  const standing = { replicas, utilizationMax, socketsPerGateway, databaseGb };
  const history = await History.open();
  try {
    const measured = await measureGrowth(history);
    const limits = limitsOf(measured, costs, standing).map((limit) => forecast(limit, new Date()));
    const isEnough = measured.days.length >= daysMin;
    const soon = limits.filter(({ daysLeft }) => daysLeft !== undefined && daysLeft <= within);
    if (json) {
      console.log(JSON.stringify({ days: measured.days.length, isEnough, sample: history.sample, limits }));
    } else {
      const rows = limits.map(({ name, now, limit, growthPerDay, day, explained }) => [
        name,
        ...[now, limit].map(shown),
        `${shown(growthPerDay * 30 * 100)} %`,
        day ?? 'not in sight',
        shown(explained),
      ]);
      console.log(table(['limit', 'now', 'may be', 'growth in 30 days', 'met on', 'explained'], rows));
      console.log(`From ${measured.days.length} whole days of history, by the busiest hour of each.`);
      if (!isEnough) console.log(`These are fewer than ${daysMin}: do not rely on them.`);
    }
    return isEnough && soon.length > 0 ? 3 : 0;
  } finally {
    await history.close();
  }
}
