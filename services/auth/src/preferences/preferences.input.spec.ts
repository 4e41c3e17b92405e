import { describe, expect, it } from 'vitest';
import { AppError, newId } from '#libs/kernel';
import { parsePreferencesChange } from './preferences.input.js';

function faultsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.issues.map(({ code, path }) => [code, ...path].join(' '));
  }
  return [];
}

describe('a change of preferences', () => {
  it('leaves what is absent as it is, and clears what is null', () => {
    const defaultDataSourceId = newId('dataSource');
    expect(parsePreferencesChange({ defaultDataSourceId, cleared: ['locale'] })).toEqual({
      defaultDataSourceId,
      locale: null,
    });
    expect(parsePreferencesChange({ cleared: [] })).toEqual({});
  });

  it('is refused with every fault at its place', () => {
    const input = { timeZone: 'Nowhere/None', locale: 'de_', defaultDataSourceId: newId('savedQuery'), cleared: [] };
    expect(faultsOf(() => parsePreferencesChange(input))).toEqual([
      'input.invalid timeZone',
      'input.invalid locale',
      'input.invalid defaultDataSourceId',
    ]);
  });

  it.each(['', 'e', 'de_AT', `en-x-${'aaaaaaaa-'.repeat(20)}a`])(
    'takes no locale that is no language tag: %j',
    (locale) => {
      expect(faultsOf(() => parsePreferencesChange({ locale, cleared: [] }))).toEqual(['input.invalid locale']);
    },
  );
});
