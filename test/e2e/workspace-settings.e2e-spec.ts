import { readFileSync } from 'node:fs';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import type { UserError } from '../support/api-types.js';
import { newDataSource, refreshSchema } from '../support/data-sources.js';
import { tryRun } from '../support/executions.js';
import { newPerson } from '../support/people.js';
import { fencedBlocks } from '../support/readme-blocks.js';
import { sharedMesh } from '../support/running-mesh.js';
import { newWorkspace } from '../support/second-workspace.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

interface Settings {
  timeZone: string | null;
  cacheTtlSeconds: number | null;
  historyDays: number | null;
  userQuotas: { executions: number | null };
  version: number;
}
interface Payload {
  workspace: { settings: Settings } | null;
  errors: UserError[];
}

/** Of a workspace of its own, so that the others are left alone. */
let admin: ApiClient;
let sourceId: string;
beforeEach(async () => {
  admin = await newWorkspace(mesh);
  const options = { ...mesh.access.reader, ssl: { mode: 'disable' } };
  sourceId = (await newDataSource(admin, 'postgres', options)).id;
});

/** By the mutation that the guide shows. */
async function update(input: Record<string, unknown>, client = admin): Promise<Payload> {
  const [document] = fencedBlocks(readFileSync('docs/workspace.md', 'utf8'), 'graphql settings');
  const data = await client.request<{ updateWorkspace: Payload }>(document ?? '', { input });
  return data.updateWorkspace;
}

async function ask(
  text: string,
  more: Record<string, unknown> = {},
): Promise<{ id: string | undefined; errors: UserError[] }> {
  const sql = { dataSourceId: sourceId, text, ...more };
  const { execution, errors } = await tryRun(admin, { query: { sql }, waitSeconds: 20 });
  return { id: execution?.id, errors };
}

async function read<T>(id: string | undefined, fields: string): Promise<T> {
  const data = await admin.request<{ execution: T }>(`query ($id: ID!) { execution(id: $id) { ${fields} } }`, { id });
  return data.execution;
}

describe('updateWorkspace', () => {
  test('sets what is named, leaves the rest, and null gives it back to the installation', async () => {
    const first = await update({ version: 1, timeZone: 'Asia/Tokyo', historyDays: 7, userQuotas: { executions: 100 } });
    expect(first.errors).toEqual([]);
    const settings = { timeZone: 'Asia/Tokyo', cacheTtlSeconds: null, historyDays: 7, version: 2 };
    expect(first.workspace?.settings).toMatchObject({ ...settings, userQuotas: { executions: 100 } });
    const second = await update({ version: 2, historyDays: null, cacheTtlSeconds: 60 });
    expect(second.workspace?.settings).toMatchObject({
      ...settings,
      historyDays: null,
      cacheTtlSeconds: 60,
      version: 3,
    });
    const { viewer } = await admin.request<{ viewer: { workspace: { settings: Settings } } }>(
      '{ viewer { workspace { settings { timeZone cacheTtlSeconds historyDays version } } } }',
    );
    expect(viewer.workspace.settings).toEqual({ ...settings, historyDays: null, cacheTtlSeconds: 60, version: 3 });
  });

  test('makes hits durable where it is named, and null takes it back', async () => {
    const setTo = async (version: number, durableHits: boolean | null): Promise<boolean> => {
      await update({ version, durableHits });
      const { viewer } = await admin.request<{ viewer: { workspace: { settings: { durableHits: boolean } } } }>(
        '{ viewer { workspace { settings { durableHits } } } }',
      );
      return viewer.workspace.settings.durableHits;
    };
    expect(await setTo(1, false)).toBe(false);
    expect(await setTo(2, true)).toBe(true);
    expect(await setTo(3, null)).toBe(false);
  });

  test('of another version is CONFLICT, with the workspace as it is', async () => {
    await update({ version: 1, historyDays: 7 });
    const { workspace, errors } = await update({ version: 1, historyDays: 8 });
    expect(errors[0]).toMatchObject({ code: 'CONFLICT', path: ['version'] });
    expect(workspace?.settings).toMatchObject({ historyDays: 7, version: 2 });
  });

  test.each([
    ['timeZone', { timeZone: 'Mars/Phobos' }],
    ['timeZone', { timeZone: '+02:00' }],
    ['cacheTtlSeconds', { cacheTtlSeconds: -1 }],
    ['cacheTtlSeconds', { cacheTtlSeconds: 90_000 }],
    ['historyDays', { historyDays: 0 }],
    ['resultDays', { resultDays: 0 }],
    ['resultBytesMax', { resultBytesMax: -1 }],
    ['userQuotas.rows', { userQuotas: { rows: -1 } }],
    ['workspaceQuotas.bytes', { workspaceQuotas: { bytes: -5 } }],
  ])('with a wrong %s is INVALID_INPUT at its place: %j', async (path, input) => {
    const { workspace, errors } = await update({ version: 1, ...input });
    expect(workspace).toBeNull();
    expect(errors).toMatchObject([{ code: 'INVALID_INPUT', path: path.split('.') }]);
  });

  test('is for those alone who have workspace.manage', async () => {
    const { client } = await newPerson(mesh.admin, 'editor');
    expect((await update({ version: 1, historyDays: 7 }, client)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('what a workspace has set', () => {
  test('is where relative dates are with the next question, unless that names a zone', async () => {
    const more = {
      parameters: { at: 'today' },
      parameterDefinitions: [{ name: 'at', type: 'DATETIME' }],
    };
    const text = unique("select {{ at | date('HH:mm') }}::text as hour");
    const today = async (zone?: string): Promise<unknown> => {
      const sql = { dataSourceId: sourceId, text, ...more };
      const { execution } = await tryRun(admin, {
        query: { sql },
        waitSeconds: 20,
        ...(zone ? { timeZone: zone } : {}),
      });
      return (await read<{ parameters: { at: unknown } }>(execution?.id, 'parameters')).parameters.at;
    };
    const [utc, tokyo] = [await today('UTC'), await today('Asia/Tokyo')];
    expect(utc).not.toEqual(tokyo);
    expect(await today()).toEqual(utc);
    await update({ version: 1, timeZone: 'Asia/Tokyo' });
    expect(await today()).toEqual(tokyo);
    expect(await today('UTC')).toEqual(utc);
  });

  const sampled = async (text: string, limits?: { sampleRows: number }): Promise<boolean> => {
    const sql = { dataSourceId: sourceId, text };
    const { execution } = await tryRun(admin, { query: { sql }, waitSeconds: 20, ...(limits ? { limits } : {}) });
    return (await read<{ result: { sampled: boolean } }>(execution?.id, 'result { sampled }')).result.sampled;
  };

  test('is the sample of SQL that says nothing of one and of which one can be taken', async () => {
    await refreshSchema(admin, sourceId);
    await update({ version: 1, sampleRows: 20 });
    expect(await sampled(unique('select iata from airports'))).toBe(true);
    expect(await sampled(unique('select iata from airports'), { sampleRows: 0 })).toBe(false);
    expect(await sampled(unique('select a.iata from airports a join airports b using (iata)'))).toBe(false);
  });

  test('is no sample of a view, whose rows are all read, nor of what its source does not tell', async () => {
    const { warehouse } = mesh;
    await warehouse.query('create or replace view airports_of_default as select iata from airports');
    await warehouse.query(`grant select on airports_of_default to "${mesh.access.reader.user}"`);
    try {
      await refreshSchema(admin, sourceId);
      await update({ version: 1, sampleRows: 20 });
      const all = unique('select count(*) > 1000 as all from airports_of_default');
      const { id } = await ask(all);
      expect(await read(id, 'state result { sampled rows(first: 1) { rows } }')).toEqual({
        ...{ state: 'SUCCEEDED', result: { sampled: false, rows: { rows: [[true]] } } },
      });
      expect(await sampled(unique('select count(*) from pg_catalog.pg_tables'))).toBe(false);
    } finally {
      await warehouse.query('drop view airports_of_default');
    }
  });

  test('is how old a kept result may be with the next question, unless something nearer says so', async () => {
    const text = unique('select 1 as one');
    const status = async (): Promise<string> =>
      (await read<{ cache: { status: string } }>((await ask(text)).id, 'cache { status }')).cache.status;
    expect([await status(), await status(), await status()]).toEqual(['MISS', 'HIT', 'HIT']);
    await update({ version: 1, cacheTtlSeconds: 0 });
    expect([await status(), await status()]).toEqual(['BYPASS', 'BYPASS']);
    await update({ version: 2, cacheTtlSeconds: null });
    expect(await status()).toBe('HIT');
  });

  test('is what a user may use with the next question, and is told by the viewer', async () => {
    await update({ version: 1, userQuotas: { executions: 1 } });
    expect((await ask(unique('select 1 as one'))).errors).toEqual([]);
    const { errors } = await ask(unique('select 1 as one'));
    expect(errors[0]).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const { viewer } = await admin.request<{
      viewer: { quotas: { scope: string; kind: string; limit: number | null }[] };
    }>('{ viewer { quotas { scope kind limit } } }');
    expect(viewer.quotas).toContainEqual({ scope: 'USER', kind: 'EXECUTIONS', limit: 1 });
    await update({ version: 2, userQuotas: null });
    expect((await ask(unique('select 1 as one'))).errors).toEqual([]);
  });
});
