import type { preferencesRequests, RequestOf } from '#libs/contracts';
import { isId } from '#libs/kernel';
import { isTimeZone } from '#libs/sql';
import { Issues } from '../input/issues.js';
import { isLocale } from '../input/locale.js';

const fields = ['timeZone', 'locale', 'defaultDataSourceId'] as const;

type Field = (typeof fields)[number];

/** What is absent stays; null clears it. */
export type PreferencesChange = { readonly [K in Field]?: string | null };

/**
 * A data source is not looked up: one that cannot be seen, today or some day, is shown as none.
 * @throws AppError with every fault at its place
 */
export function parsePreferencesChange(
  input: RequestOf<typeof preferencesRequests.updatePreferences>,
): PreferencesChange {
  const issues = new Issues();
  const { timeZone, locale, defaultDataSourceId, cleared } = input;
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    issues.add(['timeZone'], 'timeZone must be the IANA name of a time zone, such as Europe/Berlin.');
  }
  if (locale !== undefined && !isLocale(locale)) issues.add(['locale'], 'This is no language tag.');
  if (defaultDataSourceId !== undefined && !isId('dataSource', defaultDataSourceId)) {
    issues.add(['defaultDataSourceId'], 'This is no id of a data source.');
  }
  issues.throwIfAny();
  const given = fields.filter((field) => input[field] !== undefined || cleared.includes(field));
  return Object.fromEntries(given.map((field) => [field, input[field] ?? null]));
}
