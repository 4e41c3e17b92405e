import { postgresCode, postgresDetail } from '#libs/database';
import { AppError } from '#libs/kernel';

/** What orchestrator.begin_run raises where a run may not begin now. */
const refused = 'SL002';

/** The detail of that error; see the migration fair-queue. */
type Refusal = { readonly retryAfterSeconds: number } & (
  | { readonly reason: 'pace' | 'depth' | 'workspace_depth' }
  | { readonly reason: 'quota'; readonly scope: 'user' | 'workspace'; readonly kind: string }
);

/** The refusal that an error of the database tells of, or undefined where it is another error. */
export function asRefusal(error: unknown): AppError | undefined {
  if (postgresCode(error) !== refused) return undefined;
  // Made by our own functions alone.
  const refusal = JSON.parse(postgresDetail(error) ?? '') as Refusal;
  const { retryAfterSeconds } = refusal;
  switch (refusal.reason) {
    case 'pace':
      return new AppError('run.rate_limited', 'You have begun too many queries within a minute.', {
        ...{ retryable: true, retryAfterSeconds },
      });
    case 'depth':
    case 'workspace_depth':
      return new AppError('run.queue_full', 'Too many queries are waiting. Try again later.', {
        ...{ retryable: true, retryAfterSeconds },
      });
    case 'quota':
      return new AppError(
        'run.quota_exceeded',
        `${refusal.scope === 'user' ? 'Your' : 'The workspace’s'} daily quota of ${refusal.kind} is used up.`,
        { retryable: true, retryAfterSeconds },
      );
  }
}
