import { AsyncLocalStorage } from 'node:async_hooks';

/** Who does the work at hand, as was proven. */
export interface WorkActor {
  readonly kind: 'USER' | 'SERVICE_ACCOUNT' | 'GUEST' | 'SERVICE' | 'ANONYMOUS';
  readonly id: string;
  readonly sessionId?: string | undefined;
  readonly apiKeyId?: string | undefined;
}

/** For whom and from where the work at hand is done: what the audit log says of it. Nothing is decided by it. */
export interface WorkOrigin {
  readonly workspaceId: string;
  readonly requestId: string;
  readonly clientAddress?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly actor: WorkActor;
}

const works = new AsyncLocalStorage<{ origin: WorkOrigin }>();

/** Runs `work`, and all that it awaits, as done for this origin. */
export function asWorkOf<T>(origin: WorkOrigin, work: () => T): T {
  return works.run({ origin }, work);
}

/** Undefined in what a service does by itself, such as its timers. */
export function currentWork(): WorkOrigin | undefined {
  return works.getStore()?.origin;
}

/** Says who does the work at hand, once that is proven. */
export function nameActor(actor: WorkActor): void {
  const current = works.getStore();
  if (current) current.origin = { ...current.origin, actor };
}
