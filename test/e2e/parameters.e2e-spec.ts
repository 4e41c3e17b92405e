import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { readAllRows, tryRun } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { createSavedQuery, newSavedQuery, updateSavedQuery } from '../support/saved-queries.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const sources: Record<'flights' | 'flights_pg', string> = { flights: '', flights_pg: '' };
beforeAll(async () => {
  for (const name of ['flights', 'flights_pg'] as const) sources[name] = (await mesh.source(name)).id;
});

interface Asked {
  text: string;
  parameters?: Record<string, unknown>;
  parameterDefinitions?: Record<string, unknown>[];
}

interface Shown {
  sql: string | null;
  parameters: Record<string, unknown>;
  cache: { status: string };
}

function inputOf(dataSourceId: string, asked: Asked, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { query: { sql: { dataSourceId, ...asked } }, waitSeconds: 20, ...more };
}

async function shownOf(client: ApiClient, id: string): Promise<Shown> {
  const { execution } = await client.request<{ execution: Shown }>(
    'query ($id: ID!) { execution(id: $id) { sql parameters cache { status } } }',
    { id },
  );
  return execution;
}

async function answer(client: ApiClient, input: Record<string, unknown>): Promise<{ rows: unknown[][]; id: string }> {
  const { execution, errors } = await tryRun(client, input);
  expect(errors).toEqual([]);
  expect(execution).toMatchObject({ state: 'SUCCEEDED', error: null });
  const id = execution?.id ?? '';
  return { rows: await readAllRows(client, id), id };
}

describe.each(['flights', 'flights_pg'] as const)('A parameter of a question to %s', (name) => {
  const ask = (asked: Asked, more?: Record<string, unknown>) => answer(mesh.admin, inputOf(sources[name], asked, more));

  test('is bound by its type, as a list too, and the statement is shown apart from its values', async () => {
    const { rows, id } = await ask({
      text: unique('select {{ n | int }} + 1 as n, {{ t }} as t where {{ code }} in ({{ codes | list }})'),
      parameters: { n: '41', t: "O'Hare -- ; drop table airports", code: 'b', codes: ['a', 'b'] },
    });
    expect(rows).toEqual([[42, "O'Hare -- ; drop table airports"]]);
    const { sql, parameters } = await shownOf(mesh.admin, id);
    expect(sql).toContain('$1');
    expect(sql).not.toContain('Hare');
    expect(parameters).toEqual({ n: '41', t: "O'Hare -- ; drop table airports", code: 'b', codes: ['a', 'b'] });
  });

  test('is bound inside quotes and never spliced', async () => {
    const { rows } = await ask({
      text: unique(`select '{{ d | date("YYYY-MM-DD") }}' as d, 'a{{ x }}b' as x`),
      parameters: { d: '2026-11-21', x: "' || current_user || '" },
    });
    expect(rows).toEqual([['2026-11-21', "a' || current_user || 'b"]]);
  });

  test('may be a date, a number, a boolean or nothing', async () => {
    const { rows } = await ask({
      text: unique(`select {{ day | date }} as day, {{ yes | bool }} as yes, {{ none | text }} as none`),
      parameters: { day: '2026-02-28', yes: true },
      parameterDefinitions: [{ name: 'none', type: 'TEXT', required: false }],
    });
    expect(rows).toEqual([['2026-02-28', true, null]]);
  });

  test('names a column of its list, and no other', async () => {
    const asked = (column: string): Asked => ({
      text: unique('select {{ column | identifier }} from airports order by iata limit 1'),
      parameters: { column },
      parameterDefinitions: [{ name: 'column', type: 'TEXT', options: [{ value: 'iata' }, { value: 'name' }] }],
    });
    expect((await ask(asked('iata'))).rows.length).toBeLessThanOrEqual(1);
    const { errors } = await tryRun(mesh.admin, inputOf(sources[name], asked('iata" from airports; --')));
    expect(errors).toMatchObject([{ code: 'PARAMETER_INVALID', path: ['query', 'sql', 'parameters', 'column'] }]);
  });

  test('in relative words is what the clocks of the time zone show', async () => {
    const day = (timeZone: string) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date());
    for (const timeZone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
      const before = day(timeZone);
      const { id } = await ask(
        {
          text: unique('select {{ d }} as d, {{ p.start }} as s'),
          parameterDefinitions: [
            { name: 'd', type: 'DATE', default: 'today' },
            { name: 'p', type: 'DATE_RANGE', default: 'last 1 days' },
          ],
        },
        { timeZone },
      );
      const { parameters } = await shownOf(mesh.admin, id);
      expect([before, day(timeZone)]).toContain(parameters['d']);
      expect(parameters['p']).toEqual({ start: parameters['d'], end: parameters['d'] });
    }
  });

  test('makes another answer of the same text: equal values are a hit, others are not', async () => {
    const text = unique('select {{ n | int }} as n');
    const run = (n: number) => ask({ text, parameters: { n } });
    const first = await run(1);
    const second = await run(2);
    expect([first.rows, second.rows]).toEqual([[[1]], [[2]]]);
    expect((await shownOf(mesh.admin, second.id)).cache.status).toBe('MISS');
    const again = await run(1);
    expect(again.rows).toEqual([[1]]);
    expect((await shownOf(mesh.admin, again.id)).cache.status).toBe('HIT');
    expect((await shownOf(mesh.admin, again.id)).parameters).toEqual({ n: 1 });
  });

  test.each([
    ['missing', { given: {} }, 'PARAMETER_MISSING', ['query', 'sql', 'parameters', 'n'], /"n".*integer/],
    ['of another type', { given: { n: 'x' } }, 'PARAMETER_INVALID', ['query', 'sql', 'parameters', 'n'], /integer/],
    ['too great', { given: { n: 11 } }, 'PARAMETER_INVALID', ['query', 'sql', 'parameters', 'n'], /10/],
    ['unknown', { given: { n: 1, m: 1 } }, 'PARAMETER_INVALID', ['query', 'sql', 'parameters', 'm'], /"m"/],
  ] as const)('that is %s is refused at its place', async (_what, { given }, code, path, message) => {
    const { execution, errors } = await tryRun(
      mesh.admin,
      inputOf(sources[name], {
        text: 'select {{ n }} as n',
        parameters: given,
        parameterDefinitions: [{ name: 'n', type: 'INTEGER', maximum: 10 }],
      }),
    );
    expect(execution).toBeNull();
    expect(errors).toMatchObject([{ code, path, message: expect.stringMatching(message) }]);
  });
});

describe('A question with parameters', () => {
  const refusals = async (input: Record<string, unknown>) => (await tryRun(mesh.admin, input)).errors;

  test.each([
    ['a template that cannot be read', { text: 'select {{ n' }, {}, 'SQL_REJECTED', ['query', 'sql', 'text']],
    [
      'a time zone that is none',
      { text: 'select {{ n }}', parameters: { n: 1 } },
      { timeZone: 'Berlin' },
      'INVALID_INPUT',
      ['timeZone'],
    ],
    [
      'a definition that contradicts itself',
      { text: 'select {{ n }}', parameterDefinitions: [{ name: 'n', type: 'INTEGER', default: 'x' }] },
      {},
      'INVALID_INPUT',
      ['query', 'sql', 'parameterDefinitions', '0', 'default'],
    ],
    [
      'an attribute that the caller does not have',
      { text: 'select {{ user.shoe_size }}' },
      {},
      'PARAMETER_MISSING',
      ['query', 'sql', 'parameters', 'user', 'shoe_size'],
    ],
    [
      'a statement that writes once it is bound',
      { text: '{% if true %}delete from airports where iata = {{ x }}{% endif %}', parameters: { x: 'a' } },
      {},
      'SQL_NOT_READ_ONLY',
      ['query', 'sql', 'text'],
    ],
  ] as const)('is refused for %s', async (_what, asked, more, code, path) => {
    const input = inputOf(sources.flights_pg, JSON.parse(JSON.stringify(asked)), more);
    expect(await refusals(input)).toMatchObject([{ code, path }]);
  });

  test('reads the attributes that an administrator gave to whoever asks, each their own', async () => {
    const text = unique('select name from airports where state = {{ user.state }} order by iata limit 1');
    const people = ['CA', 'TX'].map((state) => newPerson(mesh.admin, 'analyst', { attributes: { state } }));
    const [one, other] = await Promise.all(people);
    const [californian] = (await answer(one?.client ?? mesh.admin, inputOf(sources.flights, { text }))).rows;
    const [texan] = (await answer(other?.client ?? mesh.admin, inputOf(sources.flights, { text }))).rows;
    expect(californian).toHaveLength(1);
    expect(texan).toHaveLength(1);
    expect(californian).not.toEqual(texan);
  });

  test('knows who asks', async () => {
    const text = unique('select {{ user.id }} as me');
    const { client: one } = await newPerson(mesh.admin, 'analyst');
    const { client: other } = await newPerson(mesh.admin, 'analyst');
    const [first] = (await answer(one, inputOf(sources.flights, { text }))).rows;
    const [second] = (await answer(other, inputOf(sources.flights, { text }))).rows;
    expect(first?.[0]).toMatch(/^usr_/);
    expect(second?.[0]).toMatch(/^usr_/);
    expect(first).not.toEqual(second);
  });
});

describe('A saved query with parameters', () => {
  const definitions = [
    { name: 'n', type: 'INTEGER', title: 'How many', minimum: 1, default: 3 },
    { name: 'kind', type: 'TEXT', options: [{ value: 'big', title: 'Big ones' }, { value: 'small' }] },
  ];

  test('keeps its definitions, changes them under its version, and runs by them', async () => {
    const { id, version } = await newSavedQuery(
      mesh.admin,
      sources.flights,
      unique('select {{ n }} as n, {{ kind }} as kind'),
      {
        parameters: definitions,
      },
    );
    const { node } = await mesh.admin.request<{ node: { parameters: unknown } }>(
      `query ($id: ID!) { node(id: $id) { ... on SavedQuery { parameters {
         name type title multiple required default minimum maximum options { value title } optionsQuery { id } } } } }`,
      { id },
    );
    const none = { title: null, default: null, minimum: null, maximum: null, options: null, optionsQuery: null };
    expect(node.parameters).toEqual([
      {
        ...none,
        name: 'n',
        type: 'INTEGER',
        title: 'How many',
        multiple: false,
        required: true,
        default: 3,
        minimum: 1,
      },
      {
        ...none,
        ...{ name: 'kind', type: 'TEXT', multiple: false, required: true },
        options: [
          { value: 'big', title: 'Big ones' },
          { value: 'small', title: 'small' },
        ],
      },
    ]);
    const run = (parameters: Record<string, unknown>) => ({
      query: { savedQuery: { id, parameters } },
      waitSeconds: 20,
    });
    expect((await answer(mesh.admin, run({ kind: 'big' }))).rows).toEqual([[3, 'big']]);
    expect((await tryRun(mesh.admin, run({ kind: 'odd' }))).errors).toMatchObject([
      { code: 'PARAMETER_INVALID', path: ['query', 'savedQuery', 'parameters', 'kind'] },
    ]);

    const parameters = [{ ...definitions[0], default: 4 }, definitions[1]];
    expect((await updateSavedQuery(mesh.admin, { id, version: version + 1, parameters })).errors).toMatchObject([
      { code: 'CONFLICT' },
    ]);
    expect((await updateSavedQuery(mesh.admin, { id, version, parameters })).errors).toEqual([]);
    expect((await answer(mesh.admin, run({ kind: 'big' }))).rows).toEqual([[4, 'big']]);
  });

  test('is refused where a definition or the template is wrong, at its place', async () => {
    const { errors } = await createSavedQuery(mesh.admin, {
      name: 'wrong',
      dataSourceId: sources.flights,
      sql: 'select {{ n |',
      parameters: [
        { name: 'n', type: 'INTEGER', minimum: 3, maximum: 1 },
        { name: 'user', type: 'TEXT' },
      ],
    });
    expect(errors.map(({ code, path }) => [code, path.join('.')]).toSorted()).toEqual([
      ['INVALID_INPUT', 'parameters.0.maximum'],
      ['INVALID_INPUT', 'parameters.1.name'],
      ['SQL_REJECTED', 'sql'],
    ]);
  });

  test('takes what its options query answers to whoever runs it, and nothing else', async () => {
    const options = await newSavedQuery(
      mesh.admin,
      sources.flights_pg,
      unique(
        "select v, t from (values ('a', 'Alpha'), ('b', 'Beta'), ('c', null)) x (v, t) where v >= {{ least }} order by v",
      ),
      { parameters: [{ name: 'least', type: 'TEXT', default: 'a' }] },
    );
    const { id } = await newSavedQuery(
      mesh.admin,
      sources.flights,
      unique('select {{ code }} as code, {{ least }} as least'),
      {
        parameters: [
          { name: 'code', type: 'TEXT', optionsQueryId: options.id },
          { name: 'least', type: 'TEXT', default: 'a' },
        ],
      },
    );
    const { client } = await newPerson(mesh.admin, 'viewer');
    const listOf = async (args: Record<string, unknown>) =>
      (
        await client.request<{ parameterOptions: unknown }>(
          `query ($id: ID!, $parameter: String!, $first: Int!, $search: String, $parameters: JSONObject) {
             parameterOptions(savedQueryId: $id, parameter: $parameter, first: $first, search: $search, parameters: $parameters) {
               options { value title } truncated } }`,
          { id, parameter: 'code', first: 10, ...args },
        )
      ).parameterOptions;
    const [a, b, c] = [
      { value: 'a', title: 'Alpha' },
      { value: 'b', title: 'Beta' },
      { value: 'c', title: 'c' },
    ];
    expect(await listOf({})).toEqual({ options: [a, b, c], truncated: false });
    expect(await listOf({ first: 2 })).toEqual({ options: [a, b], truncated: true });
    expect(await listOf({ search: 'bet' })).toEqual({ options: [b], truncated: false });
    expect(await listOf({ parameters: { least: 'b', other: 1 } })).toEqual({ options: [b, c], truncated: false });
    expect(await listOf({ parameter: 'least' })).toBeNull();

    const run = (code: string, least = 'a') => ({
      query: { savedQuery: { id, parameters: { code, least } } },
      waitSeconds: 20,
    });
    expect((await answer(client, run('b'))).rows).toEqual([['b', 'a']]);
    for (const refused of [run('z'), run('a', 'b')]) {
      expect((await tryRun(client, refused)).errors).toMatchObject([
        { code: 'PARAMETER_INVALID', path: ['query', 'savedQuery', 'parameters', 'code'] },
      ]);
    }
  });
});

test('the guide’s question can be asked as it stands', async () => {
  const guide = readFileSync('docs/templates.md', 'utf8');
  const [document = ''] = fencedBlocks(guide, 'graphql');
  const [variables = ''] = fencedBlocks(guide, 'json variables');
  const { runQuery } = await mesh.admin.request<{ runQuery: unknown }>(
    document,
    JSON.parse(variables.replace('src_…', sources.flights)),
  );
  expect(runQuery).toMatchObject({
    execution: { state: 'SUCCEEDED', parameters: { codes: ['BER', 'LHR'] } },
    errors: [],
  });
});
