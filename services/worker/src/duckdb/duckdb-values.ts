import { isoDate, twoDigits } from '../connector/civil-date.js';

// Values of time as DuckDB counts them, into ISO 8601 with all the digits that are not zero at the end.

const dayMicros = 86_400_000_000n;
const microsPerSecond = 1_000_000;

/** A count of microseconds since the epoch, `2026-11-21T10:20:30.5`. */
export function isoTimestampOfMicros(micros: bigint): string {
  const days = floorDivide(micros, dayMicros);
  return `${isoDate(Number(days))}T${isoTimeOfMicros(Number(micros - days * dayMicros))}`;
}

/** A count of nanoseconds since the epoch. */
export function isoTimestampOfNanos(nanos: bigint): string {
  const dayNanos = dayMicros * 1_000n;
  const days = floorDivide(nanos, dayNanos);
  return `${isoDate(Number(days))}T${isoTimeOfNanos(nanos - days * dayNanos)}`;
}

/** Microseconds since midnight, which one number holds exactly. */
export function isoTimeOfMicros(micros: number): string {
  const seconds = Math.floor(micros / microsPerSecond);
  return `${clock(seconds)}${fraction(micros - seconds * microsPerSecond, 6)}`;
}

export function isoTimeOfNanos(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  return `${clock(Number(seconds))}${fraction(Number(nanos - seconds * 1_000_000_000n), 9)}`;
}

/** An offset in seconds east of Greenwich, `+05:30`. */
export function isoOffset(seconds: number): string {
  const [sign, size] = seconds < 0 ? ['-', -seconds] : ['+', seconds];
  const left = size % 60;
  const text = `${sign}${twoDigits(Math.floor(size / 3_600))}:${twoDigits(Math.floor(size / 60) % 60)}`;
  return left === 0 ? text : `${text}:${twoDigits(left)}`;
}

/** `P1Y2M3DT4H5M6.789S`, each part with its own sign, as PostgreSQL writes it too. */
export function isoInterval(months: number, days: number, micros: bigint): string {
  const years = Math.trunc(months / 12);
  const total = micros < 0n ? -micros : micros;
  const seconds = Number(total / 1_000_000n);
  const sign = micros < 0n ? '-' : '';
  const part = (value: number, unit: string, before = ''): string => (value === 0 ? '' : `${before}${value}${unit}`);
  const date = `${part(years, 'Y')}${part(months - years * 12, 'M')}${part(days, 'D')}`;
  const rest = `${seconds % 60}${fraction(Number(total % 1_000_000n), 6)}`;
  const time = `${part(Math.floor(seconds / 3_600), 'H', sign)}${part(Math.floor(seconds / 60) % 60, 'M', sign)}${
    rest === '0' ? '' : `${sign}${rest}S`
  }`;
  if (date === '' && time === '') return 'PT0S';
  return `P${date}${time === '' ? '' : `T${time}`}`;
}

/** The shortest decimal that is this 32-bit number and no other; a JavaScript number would show digits that it never had. */
export function shortestFloat32(value: number): string {
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

function clock(seconds: number): string {
  return `${twoDigits(Math.floor(seconds / 3_600))}:${twoDigits(Math.floor(seconds / 60) % 60)}:${twoDigits(seconds % 60)}`;
}

function fraction(value: number, digits: number): string {
  return value === 0 ? '' : `.${String(value).padStart(digits, '0').replace(/0+$/, '')}`;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}
