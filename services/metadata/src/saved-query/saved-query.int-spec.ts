import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { callerOf, codeOf, faultOf, MetadataSuite } from '../../test/metadata-suite.js';
import type { Caller } from '../caller.js';

let suite: MetadataSuite;
beforeAll(async () => {
  suite = await MetadataSuite.start();
});
beforeEach(() => suite.renew());
afterAll(() => suite.stop());

describe('a saved query', () => {
  it('is made, read, changed and deleted', async () => {
    const { id: dataSourceId } = await suite.createSource();
    const made = await suite.createQuery(dataSourceId, { tags: ['B', 'a', 'b'], description: ' All of it ' });
    expect(made).toMatchObject({ name: 'Revenue', tags: ['b', 'a'], description: 'All of it', version: 1 });
    const changed = await suite.queries.update(
      { id: made.id, version: 1, name: 'Income', tags: { values: ['c'] }, cleared: ['description'] },
      suite.caller,
    );
    expect(changed).toMatchObject({ name: 'Income', tags: ['c'], sql: 'select 1', version: 2 });
    expect(changed).not.toHaveProperty('description');
    expect(changed.updatedAt?.getTime()).toBeGreaterThanOrEqual(made.updatedAt?.getTime() ?? Infinity);
    expect(await suite.queries.get([made.id], suite.caller)).toEqual([changed]);
    await suite.queries.delete(made.id, suite.caller);
    expect(await suite.queries.get([made.id], suite.caller)).toEqual([]);
  });

  it('is changed by one of many who read the same version', async () => {
    const { id: dataSourceId } = await suite.createSource();
    const { id } = await suite.createQuery(dataSourceId);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        suite.queries.update({ id, version: 1, sql: `select ${index}`, cleared: [] }, suite.caller),
      ),
    );
    const done = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(done).toHaveLength(1);
    expect(await suite.queries.get([id], suite.caller)).toEqual([done[0]?.value]);
    expect(await faultOf(suite.queries.update({ id, version: 1, name: 'x', cleared: [] }, suite.caller))).toMatchObject(
      {
        code: 'entity.conflict',
        path: 'version',
      },
    );
  });

  it('hides its text from those who may not see what its source holds, and all of it from the others', async () => {
    const { id: dataSourceId } = await suite.createSource();
    const query = await suite.createQuery(dataSourceId);
    const [runner, viewer, author] = (
      [
        ['saved_query.run'],
        ['saved_query.read', 'saved_query.run'],
        ['saved_query.read', 'saved_query.manage'],
      ] as const
    ).map((permissions) => callerOf(suite.caller.workspaceId, permissions));
    if (!runner || !viewer || !author) throw new Error('there are three');
    const hidden = { ...query, sql: '' };
    expect(await suite.queries.get([query.id], runner)).toEqual([hidden]);
    expect(await suite.queries.get([query.id], viewer)).toEqual([hidden]);
    expect((await suite.queries.list({ page: { first: 10 }, tags: [] }, viewer)).savedQueries).toEqual([hidden]);
    expect(await suite.queries.update({ id: query.id, version: 1, name: 'x', cleared: [] }, author)).toMatchObject({
      sql: '',
    });
    expect(await suite.queries.get([query.id], callerOf(suite.caller.workspaceId, ['query.run']))).toEqual([]);
  });

  it('is found by name, description and all of the tags, in pages without gap or repeat', async () => {
    const { id: dataSourceId } = await suite.createSource();
    for (const name of ['b', 'a', 'a', 'C']) await suite.createQuery(dataSourceId, { name, tags: ['x', name] });
    await suite.createQuery(dataSourceId, { name: 'z', description: 'about Bananas' });
    const names: string[] = [];
    const ids = new Set<string>();
    let after: string | undefined;
    do {
      const { savedQueries, pageInfo } = await suite.queries.list(
        { page: { first: 1, after }, tags: ['X'] },
        suite.caller,
      );
      names.push(...savedQueries.map((each) => each.name));
      for (const each of savedQueries) ids.add(each.id);
      after = pageInfo?.hasNextPage ? pageInfo.endCursor : undefined;
    } while (after !== undefined);
    expect(names).toEqual(['a', 'a', 'b', 'C']);
    expect(ids.size).toBe(4);
    const count = async (search: string | undefined, tags: string[]): Promise<number> =>
      (await suite.queries.list({ page: { first: 1 }, search, tags }, suite.caller)).totalCount;
    expect(await count('banana', [])).toBe(1);
    expect(await count(undefined, ['x', 'c'])).toBe(1);
    expect(await count('a', ['x'])).toBe(2);
    expect(await count('_', [])).toBe(0);
  });

  it('is listed from the index of its workspace', async () => {
    const plan = await suite.database.query<{ 'QUERY PLAN': string }[]>(
      `explain select * from metadata.saved_query where workspace_id = 'wsp_1' and (name_key, id) > ('a', 'b')
        order by name_key, id limit 11`,
    );
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toMatch(/saved_query_name_idx/);
  });

  it('shows a guest the parameters that are left for it to choose, and those of others no more', async () => {
    const source = await suite.createSource();
    const options = { values: [{ value: 'acme' }, { value: 'umbrella' }] };
    const text = { type: 'TEXT', multiple: false, required: true } as const;
    const input = { name: 'Orders', dataSourceId: source.id, sql: 'select {{ customer }}, {{ year }}', tags: [] };
    const parameters = [
      { ...text, name: 'customer', options },
      { ...text, name: 'year' },
    ];
    const { id } = await suite.queries.create({ ...input, parameters }, suite.caller);
    const names = async (guest: Caller['guest']): Promise<string[]> => {
      const by = { ...callerOf(suite.caller.workspaceId, ['saved_query.run']), guest };
      const [query] = await suite.queries.get([id], by);
      return query?.parameters.map(({ name }) => name) ?? [];
    };
    const mintedById = suite.caller.userId;
    expect(await names({ mintedById, parameters: { customer: 'acme' }, attributes: {} })).toEqual(['year']);
    expect(await names({ mintedById, parameters: {}, attributes: {} })).toEqual(['customer', 'year']);
    expect(await names(undefined)).toEqual(['customer', 'year']);
  });
});

describe('what is to be run', () => {
  it('comes with its connection, for who may run it, without a right to read the source', async () => {
    const { id } = await suite.createSource();
    const query = await suite.createQuery(id);
    const runner = callerOf(suite.caller.workspaceId, ['saved_query.run']);
    const resolved = await suite.runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, runner);
    expect(resolved.savedQuery).toEqual(query);
    expect(resolved.source).toMatchObject({ id, workspaceId: suite.caller.workspaceId, type: 'postgres', version: 1 });
    expect(resolved.source?.options).not.toHaveProperty('password');
    expect(await codeOf(suite.runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, runner))).toBe(
      'auth.forbidden',
    );
    const analyst = callerOf(suite.caller.workspaceId, ['query.run']);
    expect(await codeOf(suite.runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, analyst))).toBe(
      'auth.forbidden',
    );
  });

  it('must be something', async () => {
    expect(await codeOf(suite.runnables.resolve({ subject: { case: undefined } }, suite.caller))).toBe('input.invalid');
  });

  it('when something is invalidated is told in pages without gap or repeat, of the chosen queries of one workspace', async () => {
    const { id } = await suite.createSource();
    const made = [
      await suite.createQuery(id),
      await suite.createQuery(id),
      await suite.createQuery(id),
      await suite.createQuery(id),
    ];
    const chosen = made.slice(1);
    for (const { id: chosenId, version } of chosen) {
      await suite.queries.update({ id: chosenId, version, warmUp: true, cleared: [] }, suite.caller);
    }
    const told: string[] = [];
    for (let afterId: string | undefined = ''; afterId !== undefined;) {
      const page = await suite.runnables.warmUps({ workspaceId: suite.caller.workspaceId, afterId, limit: 2 });
      told.push(...page.map(({ savedQueryId }) => savedQueryId));
      afterId = page.at(-1)?.savedQueryId;
    }
    expect(told).toEqual(chosen.map((query) => query.id).toSorted());
    expect(await suite.runnables.warmUps({ workspaceId: suite.stranger.workspaceId, afterId: '', limit: 2 })).toEqual(
      [],
    );
  });

  it('is told to the orchestrator for sources of every workspace, at most 100 at once', async () => {
    const [mine, other] = [await suite.createSource(), await suite.createSource('x', { by: suite.stranger })];
    const found = await suite.runnables.connections([mine.id, other.id, newId('dataSource')]);
    expect(found.map((source) => source.id).toSorted()).toEqual([mine.id, other.id].toSorted());
    expect(await codeOf(suite.runnables.connections(Array.from({ length: 101 }, () => 'x')))).toBe('input.too_large');
  });
});
