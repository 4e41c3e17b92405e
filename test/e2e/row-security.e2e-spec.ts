import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { createDataSource, newDataSource } from '../support/data-sources.js';
import { getExecution, readAllRows, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { newPerson, signedIn, updateUser, type Person } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
const guide = readFileSync('docs/policies.md', 'utf8');

const personOf = (attributes: Record<string, unknown> = {}): Promise<Person> =>
  newPerson(mesh.admin, 'analyst', { attributes });

async function answer(client: ApiClient, sourceId: string, text: string): Promise<unknown[][]> {
  const execution = await runToEnd(client, sourceId, text);
  expect([execution.state, execution.error?.message]).toEqual(['SUCCEEDED', undefined]);
  return readAllRows(client, execution.id);
}

describe('A source whose database has row security of its own', () => {
  let sourceId = '';
  let north: Person;
  let south: Person;
  let nobody: Person;
  beforeAll(async () => {
    const { user } = mesh.access.reader;
    const [, sql = ''] = fencedBlocks(guide, 'sql');
    await mesh.warehouse.query(`create table orders (region text, amount int);
      insert into orders values ('north', 1), ('north', 2), ('south', 3); grant select on orders to "${user}"`);
    await mesh.warehouse.query(sql.replace('sluice_reader', `"${user}"`));
    const [options = '{}'] = fencedBlocks(guide, 'json');
    const more = JSON.parse(options) as Record<string, unknown>;
    sourceId = (await newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader, ...more })).id;
    [north, south, nobody] = await Promise.all([
      personOf({ region: 'north' }),
      personOf({ region: 'south' }),
      personOf(),
    ]);
  });
  afterAll(async () => {
    await mesh.warehouse.query(`drop table orders;
      grant execute on function pg_catalog.set_config(text, text, boolean) to public`);
    await mesh.close();
  });

  const sums = 'select region, sum(amount)::int from orders group by region';

  test('is told who asks, as the guide has it: people see their own rows', async () => {
    expect(await answer(north.client, sourceId, sums)).toEqual([['north', 3]]);
    expect(await answer(south.client, sourceId, sums)).toEqual([['south', 3]]);
  });

  test('shows no row to whoever lacks the attribute, and computes nothing for them', async () => {
    expect(await answer(nobody.client, sourceId, sums)).toEqual([]);
    expect(await answer(nobody.client, sourceId, 'select count(*) from orders')).toEqual([]);
    expect(await answer(nobody.client, sourceId, `select amount / (amount - amount) from orders limit 1;`)).toEqual([]);
  });

  test('gives nobody the kept answer of another, and shares it among equals', async () => {
    const text = unique('select count(*)::int from orders');
    const equal = await personOf({ region: 'north' });
    expect(await answer(north.client, sourceId, text)).toEqual([[2]]);
    expect(await answer(south.client, sourceId, text)).toEqual([[1]]);
    const shared = await runToEnd(equal.client, sourceId, text);
    expect((await getExecution(equal.client, shared.id)).cache.status).toBe('HIT');
    expect(await readAllRows(equal.client, shared.id)).toEqual([[2]]);
  });

  test('goes by a changed attribute with the next access', async () => {
    const moved = await personOf({ region: 'north' });
    expect(await answer(moved.client, sourceId, sums)).toEqual([['north', 3]]);
    const { id, version } = moved.user;
    const { errors } = await updateUser(mesh.admin, { id, version, attributes: { region: 'south' } });
    expect(errors).toEqual([]);
    const again = await signedIn(mesh.admin.as(undefined), moved);
    expect(await answer(again, sourceId, sums)).toEqual([['south', 3]]);
  });

  test.each([
    ['set_config in a CTE', "with x as (select set_config('app.region', 'south', true)) select o.* from orders o, x"],
    ['query_to_xml', "select query_to_xml('select set_config(''app.region'', ''south'', true)', true, true, '')"],
    ['ts_stat', "select * from ts_stat('select set_config(''app.region'', ''south'', true)::tsvector')"],
    ['current_setting', "select current_setting('app.region')"],
    ['SET LOCAL', "set local app.region = 'south'"],
    ['DO', "do $$ begin perform set_config('app.region', 'south', true); end $$"],
  ])('lets no query say who asks: %s', async (_attack, text) => {
    const { errors, execution } = await tryRun(north.client, sqlInput(sourceId, text));
    expect([execution, errors.map(({ code }) => code)]).toEqual([null, ['SQL_NOT_READ_ONLY']]);
  });

  test('leaves nothing of one session to the next one on the same connection', async () => {
    const plain = await newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader });
    await answer(north.client, sourceId, unique('select count(*) from orders'));
    expect(await answer(north.client, plain.id, unique('select count(*)::int from orders'))).toEqual([[0]]);
  });

  test('does not estimate, as the counts tell of hidden rows', async () => {
    const { estimateQuery } = await north.client.request<{ estimateQuery: { errors: { code: string }[] } }>(
      'query ($query: QueryInput!) { estimateQuery(query: $query) { errors { code } } }',
      { query: { sql: { dataSourceId: sourceId, text: sums } } },
    );
    expect(estimateQuery.errors).toEqual([{ code: 'FORBIDDEN' }]);
  });

  test.each([
    ['a setting of the server', { search_path: 'user.region' }],
    ["Sluice's own", { 'sluice.run_id': 'user.id' }],
    ['what is no attribute', { 'app.region': 'request.region' }],
    ['an identifier that ends early', { 'app.region"; drop': 'user.region' }],
  ])('cannot be told %s', async (_what, sessionSettings) => {
    const { errors } = await createDataSource(mesh.admin, {
      ...{ name: unique('x').slice(0, 60), type: 'postgres' },
      options: { ...mesh.access.reader, sessionSettings },
    });
    expect(errors).toEqual([expect.objectContaining({ code: 'INVALID_INPUT' })]);
  });
});
