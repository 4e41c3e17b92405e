import type { SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import type { SessionIdentity } from '../policy/session-identity.js';

/** The options that are a ceiling: above it a run needs expensive_query.run. The worker keeps it, as it alone can estimate. */
const ceilingOptions = ['maxEstimatedRows', 'maxEstimatedCost'] as const;

/**
 * The source as a caller's run is given it: without its ceiling where that does not hold for the caller, and with what its
 * session says of who asks.
 */
export function sourceFor(
  principal: Principal,
  source: SourceConnection,
  session: SessionIdentity | undefined,
): SourceConnection {
  const under = underCeiling(principal, source);
  return session ? { ...under, sessionSettings: session.settings } : under;
}

function underCeiling({ permissions }: Principal, source: SourceConnection): SourceConnection {
  if (!permissions.has('expensive_query.run') || !source.options || ceilingOf(source) === '') return source;
  const { maxEstimatedRows: _rows, maxEstimatedCost: _cost, ...options } = source.options;
  return { ...source, options };
}

/**
 * The ceiling that a run is under, empty where there is none. A run under a ceiling may be refused at the source, so no one
 * who is not under it shares that run.
 */
export function ceilingOf({ options = {} }: SourceConnection): string {
  const parts = ceilingOptions.flatMap((name) => (name in options ? [`${name}=${JSON.stringify(options[name])}`] : []));
  return parts.join(' ');
}
