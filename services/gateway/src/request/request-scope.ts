import { AsyncLocalStorage } from 'node:async_hooks';
import type { MessageContext } from '#libs/bus';
import { newId } from '#libs/kernel';
import { withLogFields } from '#libs/telemetry';

/** One request from outside, as far as every layer below it may know it. */
export interface RequestScope {
  readonly requestId: string;
  /** Where it comes from, as far as the named proxies can be believed. */
  readonly clientAddress?: string | undefined;
  /** What the client says that it is. For the audit log alone. */
  readonly userAgent?: string | undefined;
  /** How the client addressed us, such as https://sluice.example.com, where that is known. */
  readonly origin?: string | undefined;
}

const scopes = new AsyncLocalStorage<RequestScope>();

/** Runs `work`, and all that it awaits, in the scope of one request; its log lines carry the request's id. */
export function runInScope<T>(scope: RequestScope, work: () => T): T {
  return scopes.run(scope, () => withLogFields({ requestId: scope.requestId }, work));
}

/** The id of the request at hand; a new one where something goes wrong outside of any. */
export function currentRequestId(): string {
  return scopes.getStore()?.requestId ?? newId('request');
}

/** Where the request at hand comes from, where that is known. */
export function currentClientAddress(): string | undefined {
  return scopes.getStore()?.clientAddress;
}

/** Where the request at hand comes from, as it travels with what services are asked for it. */
export function currentClient(): MessageContext['origin'] {
  const { clientAddress, userAgent = '' } = scopes.getStore() ?? {};
  return clientAddress === undefined ? undefined : { clientAddress, userAgent: userAgent.slice(0, userAgentMax) };
}

/** How the client of the request at hand addressed us, where that is known. */
export function currentOrigin(): string | undefined {
  return scopes.getStore()?.origin;
}

const userAgentMax = 256;
const wellFormed = /^[A-Za-z0-9._-]{8,128}$/;

/** The caller's own X-Request-ID if it is well formed, else a new one. */
export function requestIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && wellFormed.test(header) ? header : newId('request');
}
