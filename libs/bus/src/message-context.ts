import type { Actor, ServiceName } from '#libs/contracts';
import { newId } from '#libs/kernel';

/** For whom and for what a message is sent. A BusContext is one, so that a handler passes on its caller. */
export interface MessageContext {
  readonly workspaceId: string;
  readonly actor: Actor;
  readonly requestId: string;
  /** Where a caller's request comes from, for the audit log. */
  readonly origin?: { readonly clientAddress: string; readonly userAgent: string } | undefined;
}

/** The context of what a service asks for itself. */
export function serviceContext(
  service: ServiceName | 'gateway',
  workspaceId: string,
  requestId: string = newId('request'),
): MessageContext {
  return { workspaceId, actor: { case: 'service', value: service }, requestId };
}
