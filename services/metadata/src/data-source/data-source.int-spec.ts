import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authRequests } from '#libs/contracts';
import { OutboxStore } from '#libs/database';
import { AppError, newId, type JsonObject } from '#libs/kernel';
import { callerOf, codeOf, faultOf, MetadataSuite, openConnection, sourceOptions } from '../../test/metadata-suite.js';

let suite: MetadataSuite;
beforeAll(async () => {
  suite = await MetadataSuite.start();
});
beforeEach(() => suite.renew());
afterAll(() => suite.stop());

describe('another workspace', () => {
  it('sees, changes, runs and lists nothing of this one, and learns no more than of what does not exist', async () => {
    const { id } = await suite.createSource();
    const query = await suite.createQuery(id);
    const noSource = await faultOf(suite.sources.delete(newId('dataSource'), suite.stranger));
    const noQuery = await faultOf(suite.queries.delete(newId('savedQuery'), suite.stranger));

    expect(await suite.sources.get([id], suite.stranger)).toEqual([]);
    expect(await suite.queries.get([query.id], suite.stranger)).toEqual([]);
    expect((await suite.sources.list({ page: { first: 10 } }, suite.stranger)).totalCount).toBe(0);
    expect((await suite.queries.list({ page: { first: 10 }, tags: [] }, suite.stranger)).totalCount).toBe(0);

    const page = { first: 10 };
    const ofSource = [
      () => suite.sources.update({ id, version: 1, paused: true, cleared: [] }, suite.stranger),
      () => suite.sources.delete(id, suite.stranger),
      () => suite.schemas.test(id, suite.stranger),
      () => suite.schemas.refresh(id, suite.stranger),
      () => suite.schemas.list({ dataSourceId: id, page }, suite.stranger),
    ];
    for (const refused of ofSource) expect(await faultOf(refused())).toEqual(noSource);
    const ofQuery = [
      () => suite.queries.update({ id: query.id, version: 1, name: 'x', cleared: [] }, suite.stranger),
      () => suite.queries.delete(query.id, suite.stranger),
    ];
    for (const refused of ofQuery) expect(await faultOf(refused())).toEqual(noQuery);
    expect(
      await codeOf(suite.runnables.resolve({ subject: { case: 'dataSourceId', value: id } }, suite.stranger)),
    ).toBe('source.not_found');
    expect(
      await codeOf(suite.runnables.resolve({ subject: { case: 'savedQueryId', value: query.id } }, suite.stranger)),
    ).toBe('saved_query.not_found');
    expect((await suite.sources.get([id], suite.caller))[0]).toMatchObject({ version: 1, paused: false });
  });

  it('cannot save a query on a source of this one, not even past the service', async () => {
    const { id } = await suite.createSource();
    const refused = suite.queries.create(
      { name: 'q', dataSourceId: id, sql: 'select 1', parameters: [], tags: [] },
      suite.stranger,
    );
    expect(await faultOf(refused)).toMatchObject({ code: 'source.not_found', path: 'dataSourceId' });
    await expect(
      suite.database.query(
        `insert into metadata.saved_query (id, workspace_id, data_source_id, name, name_key, search_key, sql, created_by_id, updated_by_id)
         values ('qry_x', $1, $2, 'q', 'q', 'q', 'select 1', 'u', 'u')`,
        [suite.stranger.workspaceId, id],
      ),
    ).rejects.toThrow(/saved_query_data_source_fkey/);
  });

  it('may use the same names', async () => {
    await suite.createSource('Sales');
    await expect(suite.createSource('Sales', { by: suite.stranger })).resolves.toMatchObject({ name: 'Sales' });
  });

  it('cannot go on with a cursor of this one', async () => {
    await suite.createSource('a');
    await suite.createSource('b');
    const { cursors } = await suite.sources.list({ page: { first: 1 } }, suite.caller);
    const next = suite.sources.list({ page: { first: 1, after: cursors[0] } }, suite.stranger);
    expect(await faultOf(next)).toMatchObject({ code: 'input.cursor_invalid', path: 'after' });
  });
});

describe('secrets', () => {
  it('never leave: not in an answer, not in a column, not in an event', async () => {
    const created = await suite.createSource();
    const updated = await suite.sources.update(
      { id: created.id, version: 1, options: { password: 'hunter3' }, cleared: [] },
      suite.caller,
    );
    const read = await suite.sources.get([created.id], suite.caller);
    const listed = await suite.sources.list({ page: { first: 10 } }, suite.caller);
    for (const answer of [created, updated, ...read, ...listed.dataSources]) {
      expect(answer.options).toEqual({ host: '127.0.0.1', database: 'sales', user: 'reader' });
    }
    expect(JSON.stringify([created, updated, read, listed])).not.toMatch(/hunter|ciphertext|wrapped/);
    const stored = await suite.database.query<{ row: string }[]>(
      `select convert_from(decode(encode(convert_to(s::text, 'UTF8'), 'hex'), 'hex'), 'UTF8') as row
         from metadata.data_source s where id = $1`,
      [created.id],
    );
    const plain = Buffer.from('hunter').toString('hex');
    expect(JSON.stringify(stored)).not.toMatch(new RegExp(`hunter|${plain}`));
    expect(JSON.stringify(await suite.eventsOf(suite.caller.workspaceId))).not.toContain('hunter');
  });

  it('stay where an update does not name them, change where it does, and go where it says null', async () => {
    const { id } = await suite.createSource();
    const update = (version: number, given: JsonObject) =>
      suite.sources.update({ id, version, options: given, cleared: [] }, suite.caller);
    await update(1, { schemas: ['other'] });
    expect(openConnection(await suite.connectionOf(id))).toEqual({ password: 'hunter2' });
    expect((await suite.connectionOf(id)).options).toMatchObject({ schemas: ['other'] });
    await update(2, { password: 'new' });
    expect(openConnection(await suite.connectionOf(id))).toEqual({ password: 'new' });
    await update(3, { password: null });
    expect((await suite.connectionOf(id)).secrets).toBeUndefined();
  });

  it('do not open for another source, another workspace, or when a bit has changed', async () => {
    const [first, second] = [await suite.createSource('one'), await suite.createSource('two')];
    await suite.database.query(
      `update metadata.data_source a set ciphertext = b.ciphertext, wrapped_key = b.wrapped_key
         from metadata.data_source b where a.id = $1 and b.id = $2`,
      [first.id, second.id],
    );
    const swapped = await suite.connectionOf(first.id);
    expect(() => openConnection(swapped)).toThrowError(expect.objectContaining({ code: 'secret.unreadable' }));
    const intact = await suite.connectionOf(second.id);
    expect(openConnection(intact)).toEqual({ password: 'hunter2' });
    expect(() => openConnection({ ...intact, workspaceId: suite.stranger.workspaceId })).toThrowError(
      expect.objectContaining({ code: 'secret.unreadable' }),
    );
    for (const place of [0, 12, -1]) {
      const secrets = intact.secrets;
      const ciphertext = Buffer.from(secrets?.ciphertext ?? []);
      const at = place < 0 ? ciphertext.length + place : place;
      ciphertext.writeUInt8(ciphertext.readUInt8(at) ^ 1, at);
      const tampered = { ...intact, secrets: secrets && { ...secrets, ciphertext } };
      expect(() => openConnection(tampered)).toThrowError(expect.objectContaining({ code: 'secret.unreadable' }));
    }
  });

  it('are mended by giving them anew, where they cannot be read any more', async () => {
    const { id } = await suite.createSource();
    await suite.database.query(`update metadata.data_source set ciphertext = 'x' where id = $1`, [id]);
    await suite.sources.update({ id, version: 1, options: { password: 'again' }, cleared: [] }, suite.caller);
    expect(openConnection(await suite.connectionOf(id))).toEqual({ password: 'again' });
  });

  it('need the key of their workspace once, and none where there are no secrets', async () => {
    const { password: _password, ...open } = sourceOptions;
    await suite.createSource('without', { options: open });
    expect(suite.bus.count(authRequests.getDataKey)).toBe(0);
    await Promise.all([suite.createSource('a'), suite.createSource('b'), suite.createSource('c')]);
    expect(suite.bus.count(authRequests.getDataKey)).toBe(1);
  });
});

describe('options', () => {
  it('are shown to those who may manage the source, and not to those who may only read it', async () => {
    const { id } = await suite.createSource();
    const reader = callerOf(suite.caller.workspaceId, ['data_source.read']);
    const [seen] = await suite.sources.get([id], reader);
    expect(seen).toMatchObject({ id, name: 'Sales' });
    expect(seen).not.toHaveProperty('options');
    expect((await suite.sources.list({ page: { first: 1 } }, reader)).dataSources[0]).not.toHaveProperty('options');
    expect(await suite.sources.get([id], callerOf(suite.caller.workspaceId, ['query.run']))).toEqual([]);
  });

  it('that are wrong are named, each one, and nothing is written', async () => {
    const error: unknown = await suite
      .createSource('bad', { options: { host: '/tmp', service: 'x', port: 0 } })
      .catch((reason: unknown) => reason);
    expect(error instanceof AppError && error.issues.map((issue) => issue.path.join('.')).toSorted()).toEqual(
      ['database', 'host', 'port', 'service', 'user'].map((each) => `options.${each}`),
    );
    expect((await suite.sources.list({ page: { first: 10 } }, suite.caller)).totalCount).toBe(0);
    const { id } = await suite.createSource();
    const update = suite.sources.update(
      { id, version: 1, options: { host: null, port: 0 }, cleared: [] },
      suite.caller,
    );
    expect(await codeOf(update)).toBe('input.invalid');
    expect((await suite.connectionOf(id)).version).toBe(1);
  });
});

describe('a data source', () => {
  it('has a name of its own in its workspace, whatever the case', async () => {
    await suite.createSource('Sales');
    expect(await faultOf(suite.createSource('sALES'))).toMatchObject({ code: 'entity.name_taken', path: 'name' });
    const other = await suite.createSource('Other');
    const renamed = suite.sources.update({ id: other.id, version: 1, name: ' SALES ', cleared: [] }, suite.caller);
    expect(await codeOf(renamed)).toBe('entity.name_taken');
  });

  it('is changed by one of many who read the same version, and the others are told', async () => {
    const { id } = await suite.createSource();
    const updates = Array.from({ length: 8 }, (_, index) =>
      suite.sources.update({ id, version: 1, maxConcurrentExecutions: index + 10, cleared: [] }, suite.caller),
    );
    const outcomes = await Promise.allSettled(updates);
    const [won, ...others] = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(others).toEqual([]);
    const codes = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' && outcome.reason instanceof AppError ? [outcome.reason.code] : [],
    );
    expect(codes).toEqual(Array.from({ length: 7 }, () => 'entity.conflict'));
    const { version, maxConcurrentExecutions } = won?.value ?? {};
    expect((await suite.sources.get([id], suite.caller))[0]).toMatchObject({ version, maxConcurrentExecutions });
    expect(version).toBe(2);
  });

  it('tells of each change in the order of its versions, and nothing of a change that failed', async () => {
    const { id } = await suite.createSource();
    await suite.sources.update({ id, version: 1, paused: true, maxConcurrentExecutions: 9, cleared: [] }, suite.caller);
    await suite.sources.update({ id, version: 1, paused: false, cleared: [] }, suite.caller).catch(() => undefined);
    await suite.sources.update({ id, version: 2, cleared: ['paused', 'maxConcurrentExecutions'] }, suite.caller);
    await suite.sources.delete(id, suite.caller);
    const same = { workspaceId: suite.caller.workspaceId, dataSourceId: id, type: 'postgres' };
    expect(await suite.eventsOf(suite.caller.workspaceId)).toEqual([
      { ...same, version: 1, maxConcurrentExecutions: 4, paused: false, deleted: false },
      { ...same, version: 2, maxConcurrentExecutions: 9, paused: true, deleted: false },
      { ...same, version: 3, maxConcurrentExecutions: 4, paused: false, deleted: false },
      { ...same, version: 4, maxConcurrentExecutions: 4, paused: false, deleted: true },
    ]);
    expect((await suite.app.get(OutboxStore).backlog()).unpublished).toBeGreaterThan(3);
  });

  it('cannot be deleted while a saved query asks it, and is gone with its secrets afterwards', async () => {
    const { id } = await suite.createSource();
    const query = await suite.createQuery(id);
    expect(await faultOf(suite.sources.delete(id, suite.caller))).toMatchObject({ code: 'source.in_use', path: 'id' });
    await suite.queries.delete(query.id, suite.caller);
    await suite.sources.delete(id, suite.caller);
    expect(await codeOf(suite.sources.delete(id, suite.caller))).toBe('source.not_found');
    expect(await suite.runnables.connections([id])).toEqual([]);
  });

  it('is found in pages, by name, each once', async () => {
    for (const name of ['delta', 'Alpha', 'charlie', 'Bravo', '100%']) await suite.createSource(name);
    const names: string[] = [];
    let after: string | undefined;
    do {
      const { dataSources, pageInfo, totalCount } = await suite.sources.list(
        { page: { first: 2, after } },
        suite.caller,
      );
      names.push(...dataSources.map((each) => each.name));
      expect(totalCount).toBe(5);
      after = pageInfo?.hasNextPage ? pageInfo.endCursor : undefined;
    } while (after !== undefined);
    expect(names).toEqual(['100%', 'Alpha', 'Bravo', 'charlie', 'delta']);
    const found = await suite.sources.list({ page: { first: 10 }, search: ' A' }, suite.caller);
    expect(found.dataSources.map((each) => each.name)).toEqual(['Alpha', 'Bravo', 'charlie', 'delta']);
    expect((await suite.sources.list({ page: { first: 10 }, search: '%' }, suite.caller)).totalCount).toBe(1);
  });
});
