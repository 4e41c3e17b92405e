import type { Principal } from '#libs/identity';
import type { TemplateCaller } from '#libs/sql';

/** Whoever asks, as templates read them. What is not known is absent, and a template that names it is refused. */
export function toTemplateCaller({ userId, groups }: Principal): TemplateCaller {
  return { id: userId, email: null, groups, attributes: new Map() };
}
