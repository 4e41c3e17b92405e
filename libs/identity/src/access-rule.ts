import type { ServiceName } from '#libs/contracts';
import type { Permission } from './permissions.js';

/** Who asks on its own behalf: a service, or a command of the operator's. */
export type Asker = ServiceName | 'gateway' | 'operator';

/** Who may send a request. */
export type AccessRule =
  | { readonly kind: 'permission'; readonly anyOf: readonly Permission[] }
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'service'; readonly services: readonly Asker[] }
  | { readonly kind: 'anonymous' };

const metadataKey = Symbol('access rule');

/** @throws Error at load where the handler has a rule already */
export function setAccessRule(handler: object, rule: AccessRule): void {
  if (accessRuleOf(handler)) throw new Error('a handler has two access rules');
  Reflect.defineMetadata(metadataKey, rule, handler);
}

export function accessRuleOf(handler: object): AccessRule | undefined {
  // Only setAccessRule writes under this key.
  return Reflect.getMetadata(metadataKey, handler) as AccessRule | undefined;
}
