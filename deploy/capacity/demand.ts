/** Who asks what of an installation. */
export interface Demand {
  readonly users: number;
  /** Of the users, from 0 to 1: those at work at the same time. */
  readonly activeShare: number;
  /** Between seeing a view and asking for the next. */
  readonly thinkSeconds: number;
  /** Tiles of a dashboard, asked for at once. */
  readonly questionsPerView: number;
  /** Of the questions, from 0 to 1: those that are answered from the cache. */
  readonly hitRatio: number;
  readonly querySeconds: number;
  /** Standard deviation of the query times over their mean. */
  readonly queryVariation: number;
  /** Of one result, as it is kept. */
  readonly resultBytes: number;
  /** Hours of a day with the full load. */
  readonly busyHours: number;
}

export interface Rates {
  readonly activeUsers: number;
  readonly questionsPerSecond: number;
  readonly hitsPerSecond: number;
  readonly runsPerSecond: number;
}

/** Users think and then wait for the slowest tile; what they wait for is about one query where not all is cached. */
export function ratesOf(demand: Demand): Rates {
  const { users, activeShare, thinkSeconds, questionsPerView, hitRatio, querySeconds } = demand;
  const activeUsers = users * activeShare;
  const waitSeconds = (1 - hitRatio ** questionsPerView) * querySeconds;
  const questionsPerSecond = (activeUsers * questionsPerView) / (thinkSeconds + waitSeconds);
  const hitsPerSecond = questionsPerSecond * hitRatio;
  return { activeUsers, questionsPerSecond, hitsPerSecond, runsPerSecond: questionsPerSecond - hitsPerSecond };
}
