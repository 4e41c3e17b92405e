import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  MasterKeys,
  newDataKey,
  openSecrets,
  openText,
  sealSecrets,
  sealText,
  unwrapDataKey,
  wrapDataKey,
} from '#libs/encryption';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { Resealer, type SealedPlace } from './resealer.js';

const [one, two] = ['k1', 'k2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);
const [older, both, newer] = [`${one}`, `${two},${one}`, `${two}`].map((text) => MasterKeys.parse(text)) as [
  MasterKeys,
  MasterKeys,
  MasterKeys,
];
const places: readonly SealedPlace[] = [
  { table: 'token', id: 'id', column: 'sealed' },
  { table: 'source', id: 'id' },
];
/** More than one piece of the work. */
const rows = 130;

let server: PostgresServer;
let database: DataSource;
beforeAll(async () => {
  server = await startPostgres();
  database = await new DataSource({ type: 'postgres', url: await server.createDatabase() }).initialize();
  await database.query(`create table token (id text primary key, workspace_id text not null, sealed text)`);
  await database.query(`create table source (id text primary key, workspace_id text not null,
    master_key_id text, wrapped_key bytea, ciphertext bytea)`);
});
afterAll(async () => {
  await database.destroy();
  await server.stop();
});

const workspaces = ['wsp_1', 'wsp_2'] as const;
/** As auth keeps them. */
let keys: Record<string, ReturnType<typeof newDataKey>>;

beforeEach(async () => {
  await database.query('truncate token, source');
  keys = Object.fromEntries(workspaces.map((id) => [id, newDataKey(older, id)]));
  for (let index = 0; index < rows; index += 1) {
    const workspace = workspaces[index % 2] ?? 'wsp_1';
    const id = `tok_${index}`;
    const sealed = index === 0 ? null : sealText(`secret ${index}`, keyOf(workspace), `${workspace}/${id}`);
    await database.query('insert into token values ($1, $2, $3)', [id, workspace, sealed]);
  }
  const parts = sealSecrets({ password: 'hunter2' }, keyOf('wsp_1'), 'wsp_1/src_1');
  await database.query('insert into source values ($1, $2, $3, $4, $5)', [
    ...['src_1', 'wsp_1', parts.masterKeyId, parts.wrappedKey, parts.ciphertext],
  ]);
});

function keyOf(workspaceId: string): ReturnType<typeof newDataKey> {
  const key = keys[workspaceId];
  if (!key) throw new Error('an unknown workspace');
  return key;
}

async function resealAll(masterKeys = both): Promise<{ seen: number; resealed: number; unreadable: number }> {
  const resealer = new Resealer(database, masterKeys, places, async (id) => keyOf(id));
  const sum = { seen: 0, resealed: 0, unreadable: 0 };
  for (let after: string | undefined = ''; after !== undefined;) {
    const progress = await resealer.reseal(after);
    expect(progress.total).toBe(rows);
    for (const name of ['seen', 'resealed', 'unreadable'] as const) sum[name] += progress[name];
    after = progress.next;
  }
  return sum;
}

/** As auth does it when the master key has changed. */
function rewrap(): void {
  for (const id of workspaces) keys[id] = wrapDataKey(unwrapDataKey(keyOf(id), both, id).key, both, id);
}

async function readAll(masterKeys: MasterKeys): Promise<void> {
  const tokens = await database.query<{ id: string; workspace_id: string; sealed: string }[]>(
    'select * from token where sealed is not null',
  );
  for (const { id, workspace_id: workspace, sealed } of tokens) {
    expect(openText(sealed, masterKeys, `${workspace}/${id}`)).toBe(`secret ${id.slice(4)}`);
  }
  const [source] =
    await database.query<{ master_key_id: string; wrapped_key: Buffer; ciphertext: Buffer }[]>('select * from source');
  if (!source) throw new Error('the source is gone');
  const { master_key_id: masterKeyId, wrapped_key: wrappedKey, ciphertext } = source;
  expect(openSecrets({ masterKeyId, wrappedKey, ciphertext }, masterKeys, 'wsp_1/src_1')).toEqual({
    password: 'hunter2',
  });
}

describe('key rotation', () => {
  it('seals all secrets by the new master key, after which the old one may go; a second time finds nothing to do', async () => {
    rewrap();
    expect(await resealAll()).toEqual({ seen: rows, resealed: rows, unreadable: 0 });
    await readAll(newer);
    expect(await resealAll(newer)).toEqual({ seen: rows, resealed: 0, unreadable: 0 });
  });

  it('seals all secrets by new data keys in the same way', async () => {
    for (const id of workspaces) keys[id] = newDataKey(both, id);
    expect(await resealAll()).toEqual({ seen: rows, resealed: rows, unreadable: 0 });
    await readAll(newer);
  });

  it('fails closed on a swapped or tampered ciphertext: it stays as it is, is counted, and all others are sealed', async () => {
    const sealed = async (id: string) =>
      (await database.query<{ sealed: string }[]>('select sealed from token where id = $1', [id]))[0]?.sealed ?? '';
    const [swapped, tampered] = [await sealed('tok_4'), `${(await sealed('tok_5')).slice(0, -4)}AAAA`];
    await database.query(`update token set sealed = $1 where id = 'tok_2'`, [swapped]);
    await database.query(`update token set sealed = $1 where id = 'tok_5'`, [tampered]);
    rewrap();
    expect(await resealAll()).toEqual({ seen: rows, resealed: rows - 2, unreadable: 2 });
    expect([await sealed('tok_2'), await sealed('tok_5')]).toEqual([swapped, tampered]);
  });

  it('never overwrites what somebody has sealed meanwhile', async () => {
    rewrap();
    const fresh = sealText('newer', keyOf('wsp_2'), 'wsp_2/tok_1');
    const resealer = new Resealer(database, both, places, async (id) => {
      await database.query(`update token set sealed = $1 where id = 'tok_1'`, [fresh]);
      return keyOf(id);
    });
    await resealer.reseal('');
    expect(await database.query(`select sealed from token where id = 'tok_1'`)).toEqual([{ sealed: fresh }]);
  });
});
