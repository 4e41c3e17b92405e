import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { accountRequests, authRequests } from '#libs/contracts';
import type { MessageContext } from '#libs/bus';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { RetentionService } from '../retention/retention.service.js';
import { ApiKeyRepository } from './api-key.repository.js';

let server: PostgresServer;
let auth: AuthHarness;
let owner: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  owner = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const refused = async (work: Promise<unknown>) => (await auth.refusal(work)).code;
const exchange = (secret: string) => auth.ask(authRequests.exchangeApiKey, { secret });
const rotate = (id: string, overlapSeconds: number, context = owner) =>
  auth.ask(accountRequests.rotateApiKey, { id, overlapSeconds }, context);

async function newKey(permissions?: string[]): Promise<{ id: string; secret: string }> {
  const input = { name: 'A key', ...(permissions ? { permissions: { values: permissions } } : {}) };
  const { apiKey, secret } = await auth.ask(authRequests.createApiKey, input, owner);
  if (!apiKey) throw new Error('no key came back');
  return { id: apiKey.id, secret };
}

describe('an API key that is rotated', () => {
  it('has a new secret at once, and the old one works until the overlap is over', async () => {
    const { id, secret } = await newKey();
    const rotated = await rotate(id, 3_600);
    expect([rotated.apiKey?.id, rotated.secret === secret]).toEqual([id, false]);
    await expect(exchange(secret)).resolves.toBeDefined();
    await expect(exchange(rotated.secret)).resolves.toBeDefined();
    await auth.database.query(`update auth.retired_api_key_secret set good_until = now() where api_key_id = $1`, [id]);
    expect(await refused(exchange(secret))).toBe('auth.unauthenticated');
    await auth.get(RetentionService).deleteOld();
    await expect(exchange(rotated.secret)).resolves.toBeDefined();
  });

  it('without overlap loses the old secret at once', async () => {
    const { id, secret } = await newKey();
    await rotate(id, 0);
    expect(await refused(exchange(secret))).toBe('auth.unauthenticated');
  });

  it('keeps its secret where its owner is not told the new one', async () => {
    const { id, secret } = await newKey();
    const given = Object.assign(new Error('canceling statement'), { code: '57014' });
    const found = vi.spyOn(ApiKeyRepository.prototype, 'find').mockRejectedValueOnce(given);
    await expect(rotate(id, 0)).rejects.toThrowError();
    expect(found).toHaveBeenCalled();
    await expect(exchange(secret)).resolves.toBeDefined();
  });

  it('ends with all its secrets when it is revoked', async () => {
    const { id, secret } = await newKey();
    const rotated = await rotate(id, 3_600);
    await auth.ask(authRequests.revokeApiKey, { id }, owner);
    for (const one of [secret, rotated.secret]) expect(await refused(exchange(one))).toBe('auth.unauthenticated');
    expect(await refused(rotate(id, 3_600))).toBe('auth.api_key_not_found');
  });

  it('is the owner’s own, and with a key this key alone: few permissions never become many', async () => {
    const { id } = await newKey();
    const stranger = await auth.as((await auth.signIn(await auth.createUser(owner, {}))).accessToken);
    expect(await refused(rotate(id, 60, stranger))).toBe('auth.api_key_not_found');
    const few = await newKey(['api_key.manage']);
    const byFew = await auth.as((await exchange(few.secret)).accessToken);
    expect(await refused(rotate(id, 60, byFew))).toBe('auth.forbidden');
    await expect(rotate(few.id, 60, byFew)).resolves.toBeDefined();
  });

  it.each([-1, 30 * 86_400 + 1])('takes no overlap of %d seconds', async (overlapSeconds) => {
    const { id } = await newKey();
    expect(await refused(rotate(id, overlapSeconds))).toBe('input.invalid');
  });
});
