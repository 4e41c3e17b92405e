import type { Column } from '#libs/contracts';

/** The text of a value whose JSON is a string, or the JSON itself where it is none, such as of a number. */
export function memberText(member: string): string {
  if (member.charCodeAt(0) !== 0x22) return member;
  // A string without an escape is what stands between its quotes.
  return member.includes('\\') ? (JSON.parse(member) as string) : member.slice(1, -1);
}

/** Whether a column's values are documents: their JSON is what they are, and not a way to write them. */
export function isDocument({ type }: Column): boolean {
  return type === 'JSON' || type === 'ARRAY';
}

/** The text of a value; null where there is none. */
export function textReader(column: Column): (member: string) => string | null {
  if (isDocument(column)) return (member) => (member === 'null' ? null : member);
  return (member) => (member === 'null' ? null : memberText(member));
}
