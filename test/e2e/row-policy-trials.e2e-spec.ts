import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newDataSource, refreshSchema, updateDataSource, type DataSource } from '../support/data-sources.js';
import { readAllRows, runToEnd } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { createRowPolicy, newRowPolicy, updateRowPolicy } from '../support/row-policies.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

type Kind = 'duckdb' | 'postgres';

/** A source of its own, as policies hold for everyone who asks it. */
async function newSource(kind: Kind): Promise<DataSource> {
  const flights = await mesh.source('flights');
  const options = kind === 'duckdb' ? (flights.options ?? {}) : { ...mesh.access.reader };
  return newDataSource(mesh.admin, kind, options);
}

const mask = (column: string, value: string) => ({ masks: [{ column, kind: 'FIXED', value }] });
const table = { name: 'airports' };
const byState = 'state = {{ user.state }}';

describe.each(['postgres', 'duckdb'] as const)('Of a row policy of a %s source its author is told', (kind) => {
  let sourceId = '';
  beforeAll(async () => {
    sourceId = (await newSource(kind)).id;
  });

  test.each([
    ['a predicate that is no condition', { predicate: 'state' }, 'predicate', /boolean/],
    ['a text that is no number', { predicate: "latitude = 'x'" }, 'predicate', /"x"|'x'/],
    ['types that no operator compares', { predicate: 'state > 5' }, 'predicate', /operator|[Cc]annot compare/],
    ['a function that is not there for the types', { predicate: 'abs(state) > 1' }, 'predicate', /abs/],
    ['an aggregate', { predicate: 'sum(latitude) > 1' }, 'predicate', /aggregate/],
    ['a fixed mask that is not of its column’s type', mask('latitude', 'north'), 'masks.0.value', /north/],
  ] as [string, Record<string, unknown>, string, RegExp][])(
    '%s, in the source’s own words at its place, and nothing is saved',
    async (_fault, change, path, words) => {
      const input = { name: 'Wrong', dataSourceId: sourceId, table, predicate: byState, ...change };
      const made = await createRowPolicy(mesh.admin, input);
      expect(made).toMatchObject({ rowPolicy: null, untriedReason: null, errors: [{ code: 'SQL_REJECTED' }] });
      expect(made.errors[0]?.path).toEqual(path.split('.'));
      expect(made.errors[0]?.message).toMatch(words);
      // Off, so that it is nobody’s meanwhile.
      const { id, version } = await newRowPolicy(mesh.admin, sourceId, byState, { table, enabled: false });
      const changed = await updateRowPolicy(mesh.admin, { id, version, ...change });
      expect(changed.errors).toEqual(made.errors);
      const renamed = await updateRowPolicy(mesh.admin, { id, version, name: 'As it was' });
      expect(renamed.rowPolicy).toMatchObject({ predicate: byState, masks: [], version: version + 1 });
    },
  );

  test('nothing where attributes of any type do: each is taken for what stands beside it', async () => {
    const { id: own } = await newSource(kind);
    const predicate = 'state = {{ user.level }} or latitude > {{ user.level }} or iata in ({{ user.codes }})';
    const { untriedReason, errors } = await createRowPolicy(mesh.admin, {
      ...{ name: 'Any type', dataSourceId: own, table, predicate },
      ...mask('longitude', '12.5'),
    });
    expect([untriedReason, errors]).toEqual([null, []]);
    const attributes = { level: 90, codes: ['ORD', 'SFO'] };
    const { client } = await newPerson(mesh.admin, 'analyst', { attributes });
    const { id, error } = await runToEnd(client, own, 'select iata, longitude from airports order by iata');
    expect(error).toBeNull();
    expect((await readAllRows(client, id)).map(([iata, longitude]) => [iata, Number(longitude)])).toEqual([
      ['ORD', 12.5],
      ['SFO', 12.5],
    ]);
  });

  test('that it was saved without a trial, where its source is paused', async () => {
    const source = await newSource(kind);
    await refreshSchema(mesh.admin, source.id);
    await updateDataSource(mesh.admin, { id: source.id, version: source.version, paused: true });
    const input = { name: 'Asleep', dataSourceId: source.id, table, predicate: 'state' };
    const { rowPolicy, untriedReason, errors } = await createRowPolicy(mesh.admin, input);
    expect(errors).toEqual([]);
    expect(untriedReason).toContain('paused');
    await updateDataSource(mesh.admin, { id: source.id, version: source.version + 1, paused: false });
    const again = await updateRowPolicy(mesh.admin, { id: rowPolicy?.id, version: rowPolicy?.version, name: 'Awake' });
    expect(again.errors).toMatchObject([{ code: 'SQL_REJECTED', path: ['predicate'] }]);
  });
});
