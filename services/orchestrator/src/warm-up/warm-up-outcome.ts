import { AppError } from '#libs/kernel';

/** What came of asking a saved query; `stops` where the next one would fare no better now. */
export type WarmUpOutcome = 'asked' | 'refused' | { readonly laterSeconds: number; readonly stops: boolean };

export const pauseSeconds = { min: 5, usual: 30, max: 300 };

/** What is refused to the query or to the one in whose name it is asked, however often: such as a parameter without a default. */
const refusals =
  /^(input|parameter|sql)\.|^(auth\.(forbidden|user_not_found|workspace_not_found)|saved_query\.not_found|source\.not_found|run\.(too_expensive|estimate_hidden|sample_unsound))$/;
/** What does not lie in the query: a quota, the depth of the queue, a service that is away. */
const ofAll = /^(run|bus)\./;

/** Whether a query that could not be asked is given up. Whatever is not known to be a refusal may pass. */
export function outcomeOf(error: unknown): WarmUpOutcome {
  if (!(error instanceof AppError)) return { laterSeconds: pauseSeconds.usual, stops: false };
  if (refusals.test(error.code)) return 'refused';
  const { retryAfterSeconds = pauseSeconds.usual } = error;
  const laterSeconds = Math.min(pauseSeconds.max, Math.max(pauseSeconds.min, retryAfterSeconds));
  return { laterSeconds, stops: ofAll.test(error.code) };
}
