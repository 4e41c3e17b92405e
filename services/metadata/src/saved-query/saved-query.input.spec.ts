import { describe, expect, it } from 'vitest';
import { AppError, newId } from '#libs/kernel';
import { parseNewSavedQuery, parseSavedQueryChange } from './saved-query.input.js';

const input = {
  name: 'Revenue',
  dataSourceId: newId('dataSource'),
  sql: 'select 1',
  parameters: [],
  tags: [] as string[],
};
const none = { id: 'qry_1', version: 1, cleared: [] as string[] };

function faultsOf(work: () => unknown): [string, string][] {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.issues.map(({ code, path }) => [code, path.join('.')]);
    throw error;
  }
  return [];
}

describe('a new saved query', () => {
  it('has its name and description in one form, and its text as it was written', () => {
    const sql = '  select 1 -- Ä\n';
    expect(parseNewSavedQuery({ ...input, name: '  Umsatz A\u0308 ', description: ' ', sql })).toMatchObject({
      name: 'Umsatz Ä',
      description: null,
      sql,
    });
  });

  it('has each tag once, in lower case and with single spaces', () => {
    expect(parseNewSavedQuery({ ...input, tags: ['Sales', ' sales ', 'North  East', 'A\u0308'] }).tags).toEqual([
      'sales',
      'north east',
      'ä',
    ]);
  });

  it('has at most 100 KB of SQL, counted in bytes', () => {
    expect(faultsOf(() => parseNewSavedQuery({ ...input, sql: 'x'.repeat(102_400) }))).toEqual([]);
    expect(faultsOf(() => parseNewSavedQuery({ ...input, sql: 'ä'.repeat(51_201) }))).toEqual([
      ['input.too_large', 'sql'],
    ]);
  });

  it('tells all that is wrong with it at once, each at its place', () => {
    const wrong = {
      name: 'a\nb',
      description: 'x'.repeat(2_001),
      dataSourceId: 'src_x',
      sql: ' ',
      parameters: [],
      tags: ['ok', '', 'x'.repeat(51), 'a\u0000'],
    };
    expect(faultsOf(() => parseNewSavedQuery(wrong)).toSorted()).toEqual(
      [
        ['input.invalid', 'name'],
        ['input.invalid', 'description'],
        ['source.not_found', 'dataSourceId'],
        ['input.invalid', 'sql'],
        ['input.invalid', 'tags.1'],
        ['input.invalid', 'tags.2'],
        ['input.invalid', 'tags.3'],
      ].toSorted(),
    );
  });

  it('has at most 20 tags, and a name of at most 200 characters', () => {
    const tags = Array.from({ length: 21 }, (_, index) => `t${index}`);
    expect(faultsOf(() => parseNewSavedQuery({ ...input, tags, name: 'x'.repeat(201) }))).toEqual([
      ['input.invalid', 'name'],
      ['input.invalid', 'tags'],
    ]);
  });
});

describe('a change of a saved query', () => {
  it('leaves what is absent, and empties what is cleared', () => {
    expect(parseSavedQueryChange(none)).toEqual({
      name: undefined,
      description: undefined,
      sql: undefined,
      tags: undefined,
    });
    expect(parseSavedQueryChange({ ...none, cleared: ['description', 'tags'] })).toMatchObject({
      description: null,
      tags: [],
    });
  });

  it('refuses to clear what a query cannot be without', () => {
    expect(faultsOf(() => parseSavedQueryChange({ ...none, cleared: ['name', 'sql', 'version'] }))).toHaveLength(3);
  });

  it('is checked like a new one', () => {
    expect(
      faultsOf(() => parseSavedQueryChange({ ...none, name: '', sql: '\0', tags: { values: [''] } })),
    ).toHaveLength(3);
  });
});
