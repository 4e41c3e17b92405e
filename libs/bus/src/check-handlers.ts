import type { MessageHandler } from '@nestjs/microservices';
import { events, requestsByService, type EventArea, type ServiceName } from '#libs/contracts';

/**
 * Every contract of the service has exactly one handler, of its own kind, and every handler a contract.
 * @param duplicates patterns of requests that were handled more than once
 * @throws Error naming all that does not fit
 */
export function refuseMismatch(
  service: ServiceName,
  areas: readonly EventArea[],
  handlers: ReadonlyMap<string, MessageHandler>,
  duplicates: ReadonlySet<string>,
): void {
  const requests = requestsByService[service].map((contract) => contract.pattern);
  const wanted = new Map([
    ...requests.map((pattern) => [pattern, 'request'] as const),
    ...events.filter(({ area }) => areas.includes(area)).map(({ type }) => [type, 'event'] as const),
  ]);
  const faults = [
    ...[...wanted.keys()].filter((pattern) => !handlers.has(pattern)).map((pattern) => `nothing handles ${pattern}`),
    ...[...handlers].flatMap(([pattern, handler]) => faultsOf(pattern, handler, wanted.get(pattern), service)),
    ...[...duplicates].map((pattern) => `${pattern} is handled twice`),
  ];
  if (faults.length === 0) return;
  throw new Error(`The handlers of ${service} do not fit the registry:\n  ${faults.join('\n  ')}`);
}

function faultsOf(
  pattern: string,
  handler: MessageHandler,
  kind: 'request' | 'event' | undefined,
  service: ServiceName,
): string[] {
  if (kind === undefined) return [`${pattern} has no contract of ${service}`];
  if ((kind === 'event') !== (handler.isEventHandler === true))
    return [`${pattern} is handled, but not as the ${kind} it is`];
  return [];
}
