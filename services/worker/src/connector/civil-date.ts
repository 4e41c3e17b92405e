/** The days of 400 years, after which the calendar repeats. */
const daysPerEra = 146_097;

/** `2026-11-21` for days since 1970-01-01 in the proleptic Gregorian calendar, beyond what a Date can hold too. */
export function isoDate(daysSinceEpoch: number): string {
  // Counted from 0000-03-01, so that the leap day is a year's last.
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / daysPerEra);
  const dayOfEra = days - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return `${isoYear(yearOfEra + era * 400 + (month <= 2 ? 1 : 0))}-${twoDigits(month)}-${twoDigits(day)}`;
}

/** Four digits; beyond them ISO 8601 asks for a sign. The year before 0001 is 0000. */
export function isoYear(year: number): string {
  const digits = String(Math.abs(year)).padStart(4, '0');
  if (year < 0) return `-${digits}`;
  return digits.length > 4 ? `+${digits}` : digits;
}

export function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
