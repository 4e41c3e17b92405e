import type { AuditEntry } from '#libs/contracts';
import type { JsonObject, JsonValue } from '#libs/kernel';

/** What the chain begins with. */
export const noHash = Buffer.alloc(32);

/** An entry as it is kept and hashed: one text for one entry, its members in the order of their names. */
export function bodyOf(entry: AuditEntry): string {
  return canonical({ ...entry, occurredAt: (entry.occurredAt ?? new Date(0)).toISOString() });
}

/** The entry that a body is of. */
export function entryOf(body: string): AuditEntry {
  // Only bodyOf writes bodies; the database keeps them from being changed, and the chain shows where they were.
  const { occurredAt, ...entry } = JSON.parse(body) as Omit<AuditEntry, 'occurredAt'> & { occurredAt: string };
  return { ...entry, occurredAt: new Date(occurredAt) };
}

/** A line of an export, with its line feed. */
export function lineOf(entry: { sequence: number; previousHash: Buffer; hash: Buffer; body: string }): string {
  const { sequence, previousHash, hash, body } = entry;
  return `{"sequence":${sequence},"previousHash":"${previousHash.toString('hex')}","hash":"${hash.toString('hex')}","entry":${body}}\n`;
}

function canonical(value: object): string {
  return JSON.stringify(sorted(JSON.parse(JSON.stringify(value)) as JsonObject));
}

function sorted(value: JsonValue): JsonValue {
  if (typeof value === 'string') return storable(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [storable(name), sorted(member)]));
}

/** What PostgreSQL cannot keep in JSON would keep the whole entry out of the chain. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '');
}
