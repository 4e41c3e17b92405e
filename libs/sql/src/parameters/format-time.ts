import type { Temporal } from 'temporal-polyfill';
import { startOfDay, zonedFrom } from './civil-time.js';

/** The longest format; it is written by an author, and repeated for each value. */
const formatLengthMax = 100;

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

/** The tokens that Redash's users know from moment.js, without names of months and days, which have a language. */
const tokens: Readonly<Record<string, (time: Temporal.ZonedDateTime) => string>> = {
  YYYY: ({ year }) => digits(year, 4),
  YY: ({ year }) => digits(year % 100, 2),
  Q: ({ month }) => String(Math.ceil(month / 3)),
  MM: ({ month }) => digits(month, 2),
  M: ({ month }) => String(month),
  DDDD: ({ dayOfYear }) => digits(dayOfYear, 3),
  DD: ({ day }) => digits(day, 2),
  D: ({ day }) => String(day),
  HH: ({ hour }) => digits(hour, 2),
  H: ({ hour }) => String(hour),
  mm: ({ minute }) => digits(minute, 2),
  m: ({ minute }) => String(minute),
  ss: ({ second }) => digits(second, 2),
  s: ({ second }) => String(second),
  SSS: ({ millisecond }) => digits(millisecond, 3),
  Z: ({ offset }) => offset,
  X: ({ epochMilliseconds }) => String(Math.floor(epochMilliseconds / 1_000)),
  x: ({ epochMilliseconds }) => String(epochMilliseconds),
};

const part = /\[([^\]]*)\]|([A-Za-z])\2*|[^A-Za-z[\]]+/y;

/**
 * The first token of a format that is none, or undefined where all are known. `[text]` in brackets is taken as it is,
 * and so is what has no letters; the letter T alone stands for itself, as in ISO 8601.
 */
export function faultOfFormat(format: string): string | undefined {
  if (format === '' || format.length > formatLengthMax) return format.slice(0, 20);
  const unknown = partsOf(format).find(({ text, token }) => token && !isKnown(text));
  return unknown?.text;
}

/** A date or an instant, in its canonical form, by a format that has no fault; an instant as the zone's clocks show it. */
export function formatTime(value: string, format: string, timeZone: string): string {
  const time = value.length === 10 ? startOfDay(value, 'UTC') : zonedFrom(value, timeZone);
  return partsOf(format)
    .map(({ text, token }) => (token ? (tokens[text]?.(time) ?? text) : text))
    .join('');
}

function isKnown(token: string): boolean {
  return token === 'T' || Object.hasOwn(tokens, token);
}

function partsOf(format: string): { text: string; token: boolean }[] {
  const parts = [];
  part.lastIndex = 0;
  for (let at = 0; at < format.length; at = part.lastIndex) {
    const match = part.exec(format);
    // A bracket without its other half.
    if (!match) return [{ text: format.slice(at, at + 20), token: true }];
    parts.push(
      match[1] === undefined ? { text: match[0], token: match[2] !== undefined } : { text: match[1], token: false },
    );
  }
  return parts;
}
