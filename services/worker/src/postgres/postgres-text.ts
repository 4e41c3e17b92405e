import { isoYear } from '../connector/civil-date.js';

// PostgreSQL's own text of a value (DateStyle ISO, IntervalStyle iso_8601, bytea_output hex, TimeZone UTC) into ISO 8601
// or base64. The digits are the source's: nothing is parsed into a number and written out again.

const infinities: Readonly<Record<string, string>> = { infinity: 'Infinity', '-infinity': '-Infinity' };

/** `2026-11-21`, `0044-03-15 BC`, `12026-01-01`, `infinity`. */
export function isoDateText(text: string): string {
  if (text.length === 10) return text;
  return infinities[text] ?? isoEra(text);
}

/** `2026-11-21 10:20:30.5` with or without a zone such as `+00`. */
export function isoTimestampText(text: string, hasZone: boolean): string {
  if (text.charCodeAt(10) === 0x20 && !text.endsWith('BC')) {
    const joined = `${text.slice(0, 10)}T${text.slice(11)}`;
    return hasZone ? isoZoneText(joined) : joined;
  }
  const infinity = infinities[text];
  if (infinity !== undefined) return infinity;
  const isBefore = text.endsWith(' BC');
  const [date = '', time = ''] = (isBefore ? text.slice(0, -3) : text).split(' ');
  const joined = `${isoEra(isBefore ? `${date} BC` : date)}T${time}`;
  return hasZone ? isoZoneText(joined) : joined;
}

/** A zone of whole hours gets its minutes: `+00` becomes `+00:00`. */
export function isoZoneText(text: string): string {
  const sign = text.charCodeAt(text.length - 3);
  return sign === 0x2b || sign === 0x2d ? `${text}:00` : text;
}

/** ISO 8601 already, but for the infinity that PostgreSQL 17 brought. */
export function isoIntervalText(text: string): string {
  return infinities[text] ?? text;
}

/** `\x…` into base64. */
export function base64OfHex(text: string): string {
  return Buffer.from(text.slice(2), 'hex').toString('base64');
}

/** A date whose year is before 1 or has more than four digits. */
function isoEra(text: string): string {
  const [, year = '', rest = '', before] = /^(\d+)(-\d\d-\d\d)( BC)?$/.exec(text) ?? [];
  return `${isoYear(before === undefined ? Number(year) : 1 - Number(year))}${rest}`;
}
