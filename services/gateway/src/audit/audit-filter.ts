import type { AuditFilter } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

/** As GraphQL gives it. */
export type AuditFilterArgs = { readonly [Field in keyof AuditFilter]?: AuditFilter[Field] | null };

export function toAuditFilter(args: AuditFilterArgs | null | undefined): AuditFilter {
  return {
    actorId: args?.actorId ?? undefined,
    action: args?.action ?? undefined,
    targetType: args?.targetType ?? undefined,
    targetId: args?.targetId ?? undefined,
    from: args?.from ?? undefined,
    to: args?.to ?? undefined,
    outcome: args?.outcome ?? undefined,
    search: args?.search ?? undefined,
  };
}

/** The same filter in the query of an address. @throws AppError `input.invalid` for what it does not know */
export function parseAuditFilter(query: Readonly<Record<string, unknown>>): AuditFilter {
  const text = (name: string): string | undefined => {
    const value = query[name];
    if (value === undefined || typeof value === 'string') return value;
    throw invalidInput(`${name} may be given once`, name);
  };
  const time = (name: string): Date | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) throw invalidInput(`${name} must be a time, such as 2026-01-31T00:00:00Z`, name);
    return date;
  };
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalidInput(`there is no filter of this name; there are ${known.join(', ')}`, unknown);
  const outcome = text('outcome');
  if (outcome !== undefined && outcome !== 'SUCCESS' && outcome !== 'FAILURE') {
    throw invalidInput('outcome must be SUCCESS or FAILURE', 'outcome');
  }
  return {
    actorId: text('actorId'),
    action: text('action'),
    targetType: text('targetType'),
    targetId: text('targetId'),
    from: time('from'),
    to: time('to'),
    outcome,
    search: text('search'),
  };
}

const known = ['actorId', 'action', 'targetType', 'targetId', 'from', 'to', 'outcome', 'search'];
