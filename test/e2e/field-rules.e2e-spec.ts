import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { permissionsOfRoles, type Permission } from '#libs/identity';
import { newId, siblingId } from '#libs/kernel';
import type { ApiClient } from '../support/api-client.js';
import { newDataSource } from '../support/data-sources.js';
import { cancel, run, tryRun, untilFinal, untilRunning } from '../support/executions.js';
import { fieldRules, nodeRules, wordOfStatement, type Thing } from '../support/field-rules.js';
import { newGrant, restrict } from '../support/grants.js';
import { newNamedThings } from '../support/named-things.js';
import { newPerson } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newSavedQuery } from '../support/saved-queries.js';
import { slowQuery, unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
const callers = ['viewer', 'analyst', 'editor', 'admin', 'runner'] as const;
type CallerName = (typeof callers)[number];

interface Caller {
  readonly client: ApiClient;
  readonly permissions: ReadonlySet<Permission>;
  readonly isRunner: boolean;
  readonly things: ReadonlyMap<Thing, string>;
}

const people = new Map<CallerName, Caller>();
const common = new Map<Thing, string>();
const underWay: string[] = [];

const newSource = (more = {}) =>
  newDataSource(mesh.admin, 'postgres', { ...mesh.access.reader, ssl: { mode: 'disable' } }, more);

/** Saved queries on a source of their own: one that runs, one that fails. */
async function newQueries(): Promise<{ sourceId: string; query: string; failing: string }> {
  const { id: sourceId } = await newSource();
  const query = await newSavedQuery(mesh.admin, sourceId, unique('select 1 as one'));
  const failing = await newSavedQuery(mesh.admin, sourceId, `select ${wordOfStatement}`);
  return { sourceId, query: query.id, failing: failing.id };
}

async function runSaved(client: ApiClient, id: string): Promise<string> {
  const { execution, errors } = await tryRun(client, { query: { savedQuery: { id } }, waitSeconds: 20 });
  if (!execution) throw new Error(`refused: ${JSON.stringify(errors)}`);
  return (await untilFinal(client, execution.id)).id;
}

async function newCaller(name: CallerName, open: Awaited<ReturnType<typeof newQueries>>): Promise<Caller> {
  const isRunner = name === 'runner';
  const role = isRunner ? 'analyst' : name;
  const { client, user } = await newPerson(mesh.admin, role);
  const { query, failing, sourceId } = isRunner ? await newQueries() : open;
  if (isRunner) {
    for (const id of [sourceId, query, failing]) await restrict(mesh.admin, id);
    // By one who manages the source, or it would be no way in.
    for (const id of [query, failing]) await newGrant(mesh.admin, { assetId: id, userId: user.id, level: 'RUN' });
  }
  await client.request(
    'mutation ($id: ID!) { updatePreferences(input: { defaultDataSourceId: $id }) { errors { code } } }',
    { id: common.get('dataSource') },
  );
  const [ran, failed] = [await runSaved(client, query), await runSaved(client, failing)];
  const things = new Map([...common, ['query', query], ['ran', ran], ['failed', failed]] as const);
  return { client, permissions: permissionsOfRoles([role]), isRunner, things };
}

beforeAll(async () => {
  for (const [kind, id] of await newNamedThings(mesh)) common.set(kind, id);
  const open = await newQueries();
  const choices = { name: 'n', type: 'INTEGER', optionsQueryId: open.query };
  const withOptions = await newSavedQuery(mesh.admin, open.sourceId, 'select {{ n }}', { parameters: [choices] });
  common.set('withOptions', withOptions.id);
  const { viewer } = await mesh.admin.request<{ viewer: { workspace: { id: string } } }>(
    '{ viewer { workspace { id } } }',
  );
  common.set('workspace', viewer.workspace.id);
  common.set('result', siblingId('result', common.get('execution') ?? ''));
  common.set('guest', newId('guest'));
  for (const name of callers) people.set(name, await newCaller(name, open));
  // What the operations tell: something that runs, and something that waits for it.
  const { id: narrow } = await newSource({ maxConcurrentExecutions: 1 });
  for (const durationMs of [30_000, 30_001]) {
    underWay.push((await run(mesh.admin, narrow, slowQuery(durationMs).text)).id);
  }
  await untilRunning(mesh.admin, underWay[0] ?? '');
});
afterAll(async () => {
  for (const id of underWay) await cancel(mesh.admin, id);
  await mesh.close();
});

function callerOf(name: CallerName): Caller {
  const caller = people.get(name);
  if (!caller) throw new Error(`nobody is a ${name}`);
  return caller;
}

function isAllowed(needs: readonly Permission[] | 'signed in' | 'nobody', { permissions }: Caller): boolean {
  if (typeof needs === 'string') return needs === 'signed in';
  return needs.some((permission) => permissions.has(permission));
}

/** The values of all fields that are asked for as `it`, wherever they are. */
function valuesOf(answer: unknown): unknown[] {
  if (typeof answer !== 'object' || answer === null) return [];
  return Object.entries(answer).flatMap(([name, value]) => (name === 'it' ? [value] : valuesOf(value)));
}

/** What is shown of what was asked for, and the codes of what was refused. */
async function shown(client: ApiClient, query: string): Promise<{ values: unknown[]; codes: unknown[] }> {
  const { data, errors } = await client.send(`{ ${query} }`, {});
  return {
    values: valuesOf(data).filter((value) => value !== null),
    codes: errors.map(({ extensions }) => extensions?.code),
  };
}

describe('Every field with a right of its own', () => {
  test.each(callers)('is told to a %s exactly where the table of rules says so', async (name) => {
    const caller = callerOf(name);
    const wrong: string[] = [];
    for (const [field, rule] of Object.entries(fieldRules)) {
      const { values, codes } = await shown(
        caller.client,
        rule.ask((thing) => caller.things.get(thing) ?? missing(thing)),
      );
      const isTold = values.some(rule.isTold ?? (() => true));
      const isRight = isTold === (isAllowed(rule.needs, caller) && !(rule.hiddenFromRunners && caller.isRunner));
      if (!isRight || codes.some((code) => code !== 'FORBIDDEN'))
        wrong.push(`${field}: ${JSON.stringify({ values, codes })}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('Every type that has an id', () => {
  test.each(callers)(
    'is read by a %s of what another has made exactly where the table of rules says so',
    async (name) => {
      const caller = callerOf(name);
      const wrong: string[] = [];
      for (const [type, { kind, needs }] of Object.entries(nodeRules)) {
        const { values, codes } = await shown(
          caller.client,
          `node(id: "${common.get(kind) ?? missing(kind)}") { it: __typename }`,
        );
        const isRight = isAllowed(needs, caller) ? values[0] === type : values.length === 0;
        if (!isRight || codes.length > 0) wrong.push(`${type}: ${JSON.stringify({ values, codes })}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

function missing(thing: Thing): never {
  throw new Error(`no ${thing} was made`);
}
