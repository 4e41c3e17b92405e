import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';

/** The moment and the place that relative and local times are resolved in. */
export interface TimeContext {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** An IANA name, `Europe/Berlin`. */
  readonly timeZone: string;
}

const dateForm = /^(\d{4})-(\d\d)-(\d\d)$/;
const datetimeForm = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/i;
const offsetForm = /\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$/i;

const zonesKnown = new LRUCache<string, boolean>({ max: 1_000, memoMethod: hasZone });

/** Whether dates can be resolved in the zone of that name. */
export function isTimeZone(name: string): boolean {
  // A bare offset is no place whose clocks are set forward and back.
  if (!/^[A-Za-z][\w/+-]{0,63}$/.test(name)) return false;
  return zonesKnown.memo(name);
}

function hasZone(name: string): boolean {
  try {
    zonedAt(0, name);
    return true;
  } catch {
    return false;
  }
}

/** `2026-11-21`, a day that there is, from 0001 to 9999. */
export function parseDate(text: string): string | undefined {
  const match = dateForm.exec(text);
  if (!match || match[1] === '0000') return undefined;
  const day = new Date(`${text}T00:00:00Z`);
  // A Date takes the 31st of a month that has 30 days for the next month's first.
  return !Number.isNaN(day.getTime()) && day.getUTCDate() === Number(match[3]) ? text : undefined;
}

/**
 * The canonical form of an instant: ISO 8601 with an offset, or a local time of the zone. A local time that the zone
 * skips is taken as late as the skip is long, one that it has twice as the earlier; a date alone is its day's beginning.
 */
export function parseDatetime(text: string, timeZone: string): string | undefined {
  if (!datetimeForm.test(text) || parseDate(text.slice(0, 10)) === undefined) return undefined;
  try {
    if (offsetForm.test(text)) return canonicalDatetime(Temporal.Instant.from(text));
    if (text.length === 10) return canonicalDatetime(startOfDay(text, timeZone).toInstant());
    return canonicalDatetime(Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone).toInstant());
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Undefined outside the years 0001 to 9999, which not every source can hold. */
export function canonicalDatetime(instant: Temporal.Instant): string | undefined {
  const hasMicroseconds = instant.epochNanoseconds % 1_000_000n !== 0n;
  const text = instant.toString({ fractionalSecondDigits: hasMicroseconds ? 6 : 3 });
  return /^\d{4}-/.test(text) && !text.startsWith('0000') ? text : undefined;
}

/** The first moment of a day in the zone, which is not always midnight. */
export function startOfDay(date: string, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.PlainDate.from(date).toZonedDateTime(timeZone);
}

export function zonedAt(epochMs: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone);
}

/** An instant's local time in the zone; the instant in its canonical form. */
export function zonedFrom(datetime: string, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.from(datetime).toZonedDateTimeISO(timeZone);
}
