import { linearRegression, linearRegressionLine, rSquared } from 'simple-statistics';

/** Something that is used more from day to day, and what is there of it. */
export interface Limit {
  readonly name: string;
  /** How much of it was used on each day, oldest first; a day without use counts for nothing. */
  readonly used: readonly number[];
  readonly limit: number;
}

export interface Forecast {
  readonly name: string;
  /** As the growth has it for today, not the last day alone. */
  readonly now: number;
  readonly limit: number;
  /** Growth of a day, as a share. */
  readonly growthPerDay: number;
  /** How much of the days' differences the growth explains, from 0 to 1. */
  readonly explained: number;
  /** Days from today; 0 where it is met already. Undefined where it does not grow. */
  readonly daysLeft: number | undefined;
  readonly day: string | undefined;
}

/** With fewer, a weekend looks like a trend. */
export const daysMin = 14;
const dayMs = 24 * 3_600_000;
/** Beyond, a forecast from weeks says nothing. */
const daysMax = 3_650;

/** When a limit is met where growth goes on as it did: exponential, as users bring users. */
export function forecast({ name, used, limit }: Limit, today: Date): Forecast {
  const points = used.flatMap((value, day) => (value > 0 ? [[day, Math.log(value)]] : []));
  if (points.length < 2)
    return { name, now: 0, limit, growthPerDay: 0, explained: 0, daysLeft: undefined, day: undefined };
  const fit = linearRegression(points);
  const line = linearRegressionLine(fit);
  const now = Math.exp(line(used.length));
  const growthPerDay = Math.exp(fit.m) - 1;
  const days = now >= limit ? 0 : fit.m > 0 ? Math.log(limit / now) / fit.m : Infinity;
  const daysLeft = days > daysMax ? undefined : Math.floor(days);
  const day =
    daysLeft === undefined ? undefined : new Date(today.getTime() + daysLeft * dayMs).toISOString().slice(0, 10);
  return { name, now, limit, growthPerDay, explained: rSquared(points, line), daysLeft, day };
}
