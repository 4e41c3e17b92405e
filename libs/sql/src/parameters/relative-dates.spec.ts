import { describe, expect, it } from 'vitest';
import { canonicalDatetime, parseDatetime } from './civil-time.js';
import { formatTime } from './format-time.js';
import { relativeDate, relativeDatetime, relativeRange } from './relative-dates.js';
import { Temporal } from 'temporal-polyfill';

const at = (iso: string, timeZone: string) => ({ nowMs: Date.parse(iso), timeZone });
const saturday = at('2026-11-21T07:30:45.678Z', 'Europe/Berlin');

describe('a range in words', () => {
  it.each([
    ['today', '2026-11-21', '2026-11-21'],
    ['yesterday', '2026-11-20', '2026-11-20'],
    ['this week', '2026-11-16', '2026-11-22'],
    ['this month', '2026-11-01', '2026-11-30'],
    ['this quarter', '2026-10-01', '2026-12-31'],
    ['this year', '2026-01-01', '2026-12-31'],
    ['last week', '2026-11-09', '2026-11-15'],
    ['last month', '2026-10-01', '2026-10-31'],
    ['last quarter', '2026-07-01', '2026-09-30'],
    ['last year', '2025-01-01', '2025-12-31'],
    ['last 1 day', '2026-11-21', '2026-11-21'],
    ['last 7 days', '2026-11-15', '2026-11-21'],
    ['Last  2 Weeks', '2026-11-08', '2026-11-21'],
    ['last 1 month', '2026-10-22', '2026-11-21'],
    ['last 2 quarters', '2026-05-22', '2026-11-21'],
    ['last 1 year', '2025-11-22', '2026-11-21'],
  ])('%s is from %s to %s, both in it', (words, start, end) => {
    expect(relativeRange(words, 'date', saturday)).toEqual({ start, end });
  });

  it.each([
    ['today', '2026-11-20T23:00:00.000Z', '2026-11-21T23:00:00.000Z'],
    ['this month', '2026-10-31T23:00:00.000Z', '2026-11-30T23:00:00.000Z'],
    ['last month', '2026-09-30T22:00:00.000Z', '2026-10-31T23:00:00.000Z'],
    ['last 24 hours', '2026-11-20T07:30:00.000Z', '2026-11-21T07:30:00.000Z'],
    ['last 7 days', '2026-11-14T07:30:00.000Z', '2026-11-21T07:30:00.000Z'],
  ])('of times, %s is from %s and ends before %s', (words, start, end) => {
    expect(relativeRange(words, 'datetime', saturday)).toEqual({ start, end });
  });

  it.each([
    '',
    'last',
    'last -1 days',
    'last 1.5 days',
    'last 10000 days',
    'next week',
    'last 7 days; x',
    'this day',
    'last 3 fortnights',
  ])('is not understood: %j', (words) => {
    expect(relativeRange(words, 'datetime', saturday)).toBeUndefined();
  });

  it('is another day where it is another day', () => {
    const now = '2026-11-21T22:30:00Z';
    expect(relativeDate('today', at(now, 'America/New_York'))).toBe('2026-11-21');
    expect(relativeDate('today', at(now, 'Europe/Berlin'))).toBe('2026-11-21');
    expect(relativeDate('today', at(now, 'Asia/Tokyo'))).toBe('2026-11-22');
    expect(relativeDate('yesterday', at(now, 'Pacific/Kiritimati'))).toBe('2026-11-21');
  });

  it('is equal for everyone within a minute', () => {
    const early = at('2026-11-21T07:30:00.000Z', 'Europe/Berlin');
    expect(relativeRange('last 24 hours', 'datetime', saturday)).toEqual(
      relativeRange('last 24 hours', 'datetime', early),
    );
    expect(relativeDatetime('now', saturday)).toBe('2026-11-21T07:30:00.000Z');
  });
});

describe('where clocks are changed', () => {
  it('a day has 23 or 25 hours', () => {
    expect(relativeRange('today', 'datetime', at('2026-03-29T12:00:00Z', 'Europe/Berlin'))).toEqual({
      start: '2026-03-28T23:00:00.000Z',
      end: '2026-03-29T22:00:00.000Z',
    });
    expect(relativeRange('today', 'datetime', at('2026-10-25T12:00:00Z', 'Europe/Berlin'))).toEqual({
      start: '2026-10-24T22:00:00.000Z',
      end: '2026-10-25T23:00:00.000Z',
    });
  });

  it('days are of the calendar and hours of the clock', () => {
    const morningAfter = at('2026-03-29T10:00:00Z', 'Europe/Berlin');
    expect(relativeRange('last 1 day', 'datetime', morningAfter)?.start).toBe('2026-03-28T11:00:00.000Z');
    expect(relativeRange('last 24 hours', 'datetime', morningAfter)?.start).toBe('2026-03-28T10:00:00.000Z');
  });

  it('a day without midnight begins when it begins, one that has it twice at the first', () => {
    expect(relativeDatetime('today', at('2018-11-04T15:00:00Z', 'America/Sao_Paulo'))).toBe('2018-11-04T03:00:00.000Z');
    expect(relativeDatetime('yesterday', at('2018-11-05T15:00:00Z', 'America/Sao_Paulo'))).toBe(
      '2018-11-04T03:00:00.000Z',
    );
    expect(relativeDatetime('today', at('2024-11-03T18:00:00Z', 'America/Havana'))).toBe('2024-11-03T04:00:00.000Z');
  });

  it('a local time that is skipped is later, one that comes twice the earlier', () => {
    expect(parseDatetime('2026-03-29T02:30', 'Europe/Berlin')).toBe('2026-03-29T01:30:00.000Z');
    expect(parseDatetime('2026-10-25T02:30', 'Europe/Berlin')).toBe('2026-10-25T00:30:00.000Z');
  });
});

describe('a month or a year of another length', () => {
  it('ends a range on its last day', () => {
    expect(relativeRange('last 1 month', 'date', at('2026-03-31T12:00:00Z', 'UTC'))).toEqual({
      start: '2026-03-01',
      end: '2026-03-31',
    });
    expect(relativeRange('this month', 'date', at('2024-02-10T12:00:00Z', 'UTC'))).toEqual({
      start: '2024-02-01',
      end: '2024-02-29',
    });
    expect(relativeRange('last week', 'date', at('2027-01-01T12:00:00Z', 'UTC'))).toEqual({
      start: '2026-12-21',
      end: '2026-12-27',
    });
  });
});

describe('a format', () => {
  it.each([
    ['YYYY-MM-DD', '2026-11-21'],
    ['YY/M/D', '26/11/21'],
    ['YYYYMMDDHH', '2026112108'],
    ['YYYY-MM-DDTHH:mm:ss.SSSZ', '2026-11-21T08:05:09.007+01:00'],
    ['H:m:s', '8:5:9'],
    ['[Q]Q YYYY', 'Q4 2026'],
    ['DDDD', '325'],
    ['X', '1795244709'],
  ])('%s shows the local time as %s', (format, shown) => {
    expect(formatTime('2026-11-21T07:05:09.007Z', format, 'Europe/Berlin')).toBe(shown);
  });

  it('shows a date the same in every zone', () => {
    expect(formatTime('2026-11-21', 'DD.MM.YYYY', 'Pacific/Kiritimati')).toBe('21.11.2026');
  });
});

describe('the form of an instant', () => {
  it('has six digits of a second only where three would cut it, and no year beyond four digits', () => {
    expect(canonicalDatetime(Temporal.Instant.from('2026-11-21T07:30:00.120Z'))).toBe('2026-11-21T07:30:00.120Z');
    expect(canonicalDatetime(Temporal.Instant.from('2026-11-21T07:30:00.120001Z'))).toBe('2026-11-21T07:30:00.120001Z');
    expect(canonicalDatetime(Temporal.Instant.from('+010000-01-01T00:00:00Z'))).toBeUndefined();
  });
});
