import type { SourceConnection } from '#libs/contracts';
import type { PolicyCaller, TypedValue } from '#libs/sql';

/** What the sessions of a source say of a caller. */
export interface SessionIdentity {
  /** By the name of the setting. */
  readonly settings: Readonly<Record<string, string>>;
  /** Something that the source goes by is not known of the caller: no row may be shown. */
  readonly isClosed: boolean;
}

/** What of callers the source's owner has put into its sessions, by the name of the setting; undefined where nothing. */
export function sessionSettingsOf({ options }: SourceConnection): Readonly<Record<string, unknown>> | undefined {
  const wanted = options?.['sessionSettings'];
  return typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted) ? wanted : undefined;
}

/** @param caller absent: nobody is known to ask */
export function sessionIdentity(
  wanted: Readonly<Record<string, unknown>>,
  caller: PolicyCaller | undefined,
): SessionIdentity {
  const told = Object.entries(wanted).map(([setting, name]) => [setting, textOf(String(name), caller)] as const);
  const known = told.filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
  return { settings: Object.fromEntries(known), isClosed: known.length < told.length };
}

/** A list is written as an array of PostgreSQL, in which no value can be taken for two. */
function textOf(name: string, caller: PolicyCaller | undefined): string | undefined {
  if (!caller) return undefined;
  switch (name) {
    case 'user.id':
      return caller.id;
    case 'user.email':
      return caller.email ?? undefined;
    case 'user.groups':
      return arrayText([...caller.groupNames].sort());
    default: {
      const attribute = attributeOf(caller, name.slice('user.'.length));
      if (attribute === undefined) return undefined;
      if (!isList(attribute)) return attribute.value ?? undefined;
      return arrayText(attribute.flatMap(({ value }) => (value === null ? [] : [value])));
    }
  }
}

function attributeOf({ attributes }: PolicyCaller, name: string): TypedValue | readonly TypedValue[] | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

function isList(value: TypedValue | readonly TypedValue[]): value is readonly TypedValue[] {
  return Array.isArray(value);
}

function arrayText(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
