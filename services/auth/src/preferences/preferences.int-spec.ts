import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, preferencesRequests, serviceAccountRequests } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';

let server: PostgresServer;
let auth: AuthHarness;
let admin: MessageContext;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  admin = await auth.admin();
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

type Change = Partial<Parameters<typeof preferencesRequests.updatePreferences.request.encode>[0]>;

async function newPerson(): Promise<{ id: string; context: MessageContext }> {
  const user = await auth.createUser(admin, { roleNames: ['viewer'] });
  return { id: user.id, context: await auth.as((await auth.signIn(user)).accessToken) };
}

const read = async (context: MessageContext): Promise<object | undefined> =>
  (await auth.ask(preferencesRequests.getPreferences, {}, context)).preferences;
const change = async (context: MessageContext, input: Change): Promise<object | undefined> =>
  (await auth.ask(preferencesRequests.updatePreferences, { cleared: [], ...input }, context)).preferences;
const codeOf = async (work: Promise<unknown>): Promise<string> => (await auth.refusal(work)).code;

describe('preferences', () => {
  it('are a user’s own, kept field by field, and cleared alone', async () => {
    const [one, other] = [await newPerson(), await newPerson()];
    const defaultDataSourceId = newId('dataSource');
    expect(await read(one.context)).toEqual({});
    await change(one.context, { timeZone: 'Europe/Vienna', locale: 'de-AT' });
    await Promise.all([
      change(one.context, { defaultDataSourceId }),
      change(one.context, { locale: 'en-GB' }),
      change(one.context, { cleared: ['timeZone'] }),
    ]);
    expect(await read(one.context)).toEqual({ locale: 'en-GB', defaultDataSourceId });
    expect(await read(other.context)).toEqual({});
  });

  it('that are refused change nothing', async () => {
    const { context } = await newPerson();
    const refused = change(context, { timeZone: 'Nowhere/None', locale: 'de-AT' });
    expect((await auth.refusal(refused)).issues.map(({ path }) => path)).toEqual([['timeZone']]);
    expect(await read(context)).toEqual({});
  });

  it('are read by the user’s API key, and changed by none', async () => {
    const { context } = await newPerson();
    await change(context, { locale: 'de-AT' });
    const { secret } = await auth.ask(authRequests.createApiKey, { name: 'A key' }, context);
    const { accessToken } = await auth.ask(authRequests.exchangeApiKey, { secret });
    const byKey = await auth.as(accessToken);
    expect(await read(byKey)).toEqual({ locale: 'de-AT' });
    expect(await codeOf(change(byKey, { locale: 'en-GB' }))).toBe('auth.forbidden');
  });

  it('are none of a service account, and a guest has those of its token', async () => {
    const input = { name: 'Robot', roleNames: ['admin'], groupNames: [] };
    const { serviceAccount } = await auth.ask(serviceAccountRequests.createServiceAccount, input, admin);
    const serviceAccountId = serviceAccount?.id ?? '';
    const { secret } = await auth.ask(authRequests.createApiKey, { name: 'A key', serviceAccountId }, admin);
    const robot = await auth.as((await auth.ask(authRequests.exchangeApiKey, { secret })).accessToken);
    expect(await read(robot)).toBeUndefined();
    expect(await codeOf(change(robot, { locale: 'en-GB' }))).toBe('auth.forbidden');
    const wished = { savedQueryIds: [newId('savedQuery')], timeZone: 'Europe/Vienna', locale: 'de-AT' };
    const minted = await auth.ask(serviceAccountRequests.mintGuest, wished, robot);
    const guest = await auth.as(minted.accessToken);
    expect(await read(guest)).toEqual({ timeZone: 'Europe/Vienna', locale: 'de-AT' });
    expect(await codeOf(change(guest, { locale: 'en-GB' }))).toBe('auth.forbidden');
  });

  it('go with the user', async () => {
    const { id, context } = await newPerson();
    await change(context, { locale: 'de-AT' });
    const count = async (): Promise<number> =>
      (await auth.database.query<unknown[]>('select 1 from auth.user_preferences where user_id = $1', [id])).length;
    expect(await count()).toBe(1);
    await auth.database.query('delete from auth.user_account where id = $1', [id]);
    expect(await count()).toBe(0);
  });
});
