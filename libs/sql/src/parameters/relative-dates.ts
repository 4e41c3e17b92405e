import type { Temporal } from 'temporal-polyfill';
import { canonicalDatetime, parseDate, zonedAt, type TimeContext } from './civil-time.js';

type Zoned = Temporal.ZonedDateTime;
type RangeKind = 'date' | 'datetime';
interface Span {
  readonly start: Zoned;
  /** The first moment after. */
  readonly end: Zoned;
}

/** Equal questions of one minute are to have equal values, so that they share an answer. */
const resolutionMs = 60_000;

const rolling = /^last ([1-9]\d{0,3}) (hour|day|week|month|quarter|year)s?$/;
const calendar = /^(this|last) (week|month|quarter|year)$/;

/** `today`, `yesterday` or `now` as a date of the zone. */
export function relativeDate(words: string, context: TimeContext): string | undefined {
  const { now, today } = timesOf(context);
  switch (normalized(words)) {
    case 'now':
    case 'today':
      return now.toPlainDate().toString();
    case 'yesterday':
      return today.subtract({ days: 1 }).toPlainDate().toString();
    default:
      return undefined;
  }
}

/** `now`, to the minute, or the first moment of `today` or `yesterday` in the zone, as an instant. */
export function relativeDatetime(words: string, context: TimeContext): string | undefined {
  const { now, today } = timesOf(context);
  switch (normalized(words)) {
    case 'now':
      return canonicalDatetime(now.toInstant());
    case 'today':
      return canonicalDatetime(today.toInstant());
    case 'yesterday':
      return canonicalDatetime(today.subtract({ days: 1 }).startOfDay().toInstant());
    default:
      return undefined;
  }
}

/**
 * `today`, `yesterday`, `this week`, `last month`, `last 7 days` and their like.
 *
 * A range of dates has both its first and its last day in it; `last 7 days` are seven with today. A range of instants
 * has its start in it and its end not; `last 7 days` ends now, to the minute. Weeks begin on Monday.
 */
export function relativeRange(
  words: string,
  kind: RangeKind,
  context: TimeContext,
): { start: string; end: string } | undefined {
  const span = spanOf(normalized(words), kind, timesOf(context));
  if (!span) return undefined;
  const [start, end] =
    kind === 'date'
      ? [parseDate(dayOf(span.start)), parseDate(dayOf(span.end.subtract({ nanoseconds: 1 })))]
      : [canonicalDatetime(span.start.toInstant()), canonicalDatetime(span.end.toInstant())];
  return start === undefined || end === undefined ? undefined : { start, end };
}

function spanOf(words: string, kind: RangeKind, { now, today }: { now: Zoned; today: Zoned }): Span | undefined {
  const tomorrow = today.add({ days: 1 }).startOfDay();
  if (words === 'today') return { start: today, end: tomorrow };
  if (words === 'yesterday') return { start: today.subtract({ days: 1 }).startOfDay(), end: today };

  const [, which, unit = ''] = calendar.exec(words) ?? [];
  if (which !== undefined) {
    const start = startOf(unit, today);
    return which === 'this'
      ? { start, end: start.add(durationOf(1, unit)).startOfDay() }
      : { start: start.subtract(durationOf(1, unit)).startOfDay(), end: start };
  }

  const [, count, step = ''] = rolling.exec(words) ?? [];
  if (count === undefined) return undefined;
  const duration = durationOf(Number(count), step);
  if (kind === 'datetime') return { start: now.subtract(duration), end: now };
  // Hours are no dates.
  return step === 'hour' ? undefined : { start: tomorrow.subtract(duration).startOfDay(), end: tomorrow };
}

function timesOf({ nowMs, timeZone }: TimeContext): { now: Zoned; today: Zoned } {
  const now = zonedAt(Math.floor(nowMs / resolutionMs) * resolutionMs, timeZone);
  return { now, today: now.startOfDay() };
}

function startOf(unit: string, day: Zoned): Zoned {
  switch (unit) {
    case 'week':
      return day.subtract({ days: day.dayOfWeek - 1 }).startOfDay();
    case 'month':
      return day.with({ day: 1 }).startOfDay();
    case 'quarter':
      return day.with({ month: day.month - ((day.month - 1) % 3), day: 1 }).startOfDay();
    default:
      return day.with({ month: 1, day: 1 }).startOfDay();
  }
}

function durationOf(count: number, unit: string): Record<string, number> {
  return unit === 'quarter' ? { months: 3 * count } : { [`${unit}s`]: count };
}

function dayOf(moment: Zoned): string {
  return moment.toPlainDate().toString();
}

function normalized(words: string): string {
  return words.trim().toLowerCase().replace(/\s+/g, ' ');
}
