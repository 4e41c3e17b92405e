/** Who does what in a load test. */
export interface Profile {
  readonly users: number;
  readonly activeShare: number;
  readonly thinkSeconds: number;
  /** Tiles of a dashboard, asked for at once. */
  readonly questionsPerView: number;
  readonly hitRatio: number;
}

/** 10,000 users of whom one in twenty is at work, with four of five questions answered from the cache. */
export const articleProfile: Profile = {
  users: 10_000,
  activeShare: 0.05,
  thinkSeconds: 30,
  questionsPerView: 6,
  hitRatio: 0.8,
};

export function activeUsersOf({ users, activeShare }: Pick<Profile, 'users' | 'activeShare'>): number {
  return Math.max(1, Math.round(users * activeShare));
}
