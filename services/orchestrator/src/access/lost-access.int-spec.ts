import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  authRequests,
  metadataRequests,
  type AccessLevel,
  type Execution,
  type ResponseOf,
  type Restriction,
  type SavedQuery,
  type SourceConnection,
} from '#libs/contracts';
import { AccessView, type Principal } from '#libs/identity';
import { AppError, newId } from '#libs/kernel';
import type { RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import {
  answerAround,
  newContext,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';
import { clear } from '../../test/orchestrator-suite.js';
import { AuthClient } from '../plan/auth.client.js';
import { AssetAccess } from './asset-access.service.js';
import { LostAccessRepository } from './lost-access.repository.js';
import { LostAccessService } from './lost-access.service.js';

let server: PostgresServer;
let dataSource: DataSource;
let orchestrator: Orchestrator;
let principal: Principal;
let source: SourceConnection;
let query: SavedQuery;
let worker: TestWorker;
let restrictions: Restriction[];
let rights: ResponseOf<typeof authRequests.listUserRights>['users'];

beforeAll(async () => {
  server = await startPostgres();
  dataSource = await openDatabase(await server.createDatabase());
});
afterAll(async () => {
  await dataSource.destroy();
  await server.stop();
});

beforeEach(async () => {
  await clear(dataSource);
  orchestrator = startOrchestrator(dataSource);
  principal = newPrincipal({ permissions: new Set(['query.run', 'saved_query.run', 'data_source.read'] as const) });
  source = newSource(principal.workspaceId);
  answerAround(orchestrator.bus, source);
  query = {
    ...{ id: newId('savedQuery'), dataSourceId: source.id, name: 'Q', sql: 'select 42', parameters: [], tags: [] },
    ...{ version: 1, createdAt: new Date(), updatedAt: new Date() },
  };
  restrictions = [];
  rights = [{ userId: principal.userId, permissions: ['query.run', 'saved_query.run'], groupNames: [] }];
  orchestrator.bus.answer(authRequests.listUserRights, ({ userIds }) => ({
    users: rights.filter(({ userId }) => userIds.includes(userId)),
  }));
  orchestrator.bus.answer(metadataRequests.resolveRunnable, ({ subject }) => ({
    source,
    revision: 1,
    ...(subject.case === 'savedQueryId' ? { savedQuery: query } : {}),
  }));
  worker = new TestWorker(orchestrator);
  await worker.announce(10);
});

/** As metadata tells it: what is restricted from now on, and what the caller's grants on it are. */
function restrict(levels: Record<string, AccessLevel | undefined>): void {
  restrictions = Object.entries(levels).map(([assetId, level]) => ({
    assetId,
    grants: level ? [{ grantee: { kind: 'USER', key: principal.userId }, level, opensSource: true }] : [],
  }));
}

async function runQuery(by = principal): Promise<Execution> {
  const { execution } = await orchestrator.submit.submit(
    { query: { case: 'savedQuery', value: { id: query.id } }, priority: 'INTERACTIVE', queryOptions: [] },
    by,
    newContext(by),
  );
  return execution;
}

describe('what somebody runs who may no longer', () => {
  /** One look, by an orchestrator that remembers nothing. */
  async function sweep(pageMax?: number, { signal } = new AbortController()): Promise<void> {
    const known = { restrictions: async () => ({ revision: 1, accessRevision: 1, restrictions }) };
    // Only what is watched is asked of it.
    const access = new AssetAccess(new AccessView(known), {} as RevisionCopies);
    const auth = new AuthClient(orchestrator.bus.asClient());
    const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
    const { cancels } = orchestrator;
    const service = new LostAccessService(new LostAccessRepository(dataSource), auth, access, cancels, logger);
    await service.sweep(signal, pageMax).finally(() => orchestrator.stops.settle());
  }

  async function running(execution: Promise<Execution>): Promise<() => Promise<string>> {
    const { id, runId, fence } = await execution;
    expect(await worker.claim({ runId, fence })).toBe(true);
    return async () => {
      const [row]: { state: string }[] = await dataSource.query(
        `select coalesce(e.own_state, r.state) as state
         from orchestrator.execution e join orchestrator.run r on r.id = e.run_id where e.id = $1`,
        [id],
      );
      return row?.state ?? '';
    };
  }

  it('goes on while nothing of that is lost', async () => {
    const [adHoc, saved] = [
      await running(submitSql(orchestrator, principal, source, 'select 1')),
      await running(runQuery()),
    ];
    restrict({ [source.id]: 'RUN', [query.id]: 'RUN' });
    await sweep();
    expect([await adHoc(), await saved()]).toEqual(['RUNNING', 'RUNNING']);
  });

  it.each([
    ['the grant on its source', () => restrict({ [source.id]: 'DISCOVER' })],
    ['the role that allows it', () => (rights = [{ userId: principal.userId, permissions: [], groupNames: [] }])],
    ['the account, by being disabled or deleted', () => (rights = [])],
  ])('is cancelled at its source with %s', async (_what, lose) => {
    const adHoc = await running(submitSql(orchestrator, principal, source, 'select 1'));
    const saved = await running(runQuery());
    lose();
    await sweep();
    expect([await adHoc(), await saved()]).toEqual(['CANCELED', 'CANCELED']);
  });

  it('is cancelled with the grant on its saved query alone', async () => {
    const [adHoc, saved] = [
      await running(submitSql(orchestrator, principal, source, 'select 1')),
      await running(runQuery()),
    ];
    restrict({ [query.id]: undefined });
    await sweep();
    expect([await adHoc(), await saved()]).toEqual(['RUNNING', 'CANCELED']);
  });

  it('goes on for another who runs the same and still may', async () => {
    const other = newPrincipal({ workspaceId: principal.workspaceId });
    rights.push({ userId: other.userId, permissions: ['query.run'], groupNames: [] });
    const mine = await running(submitSql(orchestrator, principal, source, 'select 1'));
    const { id } = await submitSql(orchestrator, other, source, 'select 1');
    rights = rights.filter(({ userId }) => userId === other.userId);
    await sweep();
    expect(await mine()).toBe('CANCELED');
    expect((await orchestrator.executions.get(id, other)).state).toBe('RUNNING');
  });

  it('is a guest’s, too, when the service account that let it in is disabled', async () => {
    const mintedById = newId('serviceAccount');
    const guest = newPrincipal({
      ...{ userId: newId('guest'), workspaceId: principal.workspaceId },
      guest: { mintedById, parameters: {}, attributes: {}, timeZone: undefined, locale: undefined },
    });
    rights = [{ userId: mintedById, permissions: ['saved_query.run'], groupNames: [] }];
    const state = await running(runQuery(guest));
    await sweep();
    expect(await state()).toBe('RUNNING');
    rights = [];
    await sweep();
    expect(await state()).toBe('CANCELED');
  });

  it('of a guest is judged by its own service account, whoever has begun the run that it shares', async () => {
    const guestOf = (mintedById: string): Principal =>
      newPrincipal({
        ...{ userId: newId('guest'), workspaceId: principal.workspaceId },
        guest: { mintedById, parameters: {}, attributes: {}, timeZone: undefined, locale: undefined },
      });
    const [first, second] = [newId('serviceAccount'), newId('serviceAccount')];
    const [one, other] = [guestOf(first), guestOf(second)];
    const begun = await running(runQuery(one));
    const { id } = await runQuery(other);
    const stateOfOther = async (): Promise<string> => (await orchestrator.executions.get(id, other)).state;
    const may = { permissions: ['saved_query.run'], groupNames: [] };
    rights = [{ userId: first, ...may }];
    await sweep();
    expect([await begun(), await stateOfOther()]).toEqual(['RUNNING', 'CANCELED']);
    const again = guestOf(second);
    const { id: third } = await runQuery(again);
    rights = [{ userId: second, ...may }];
    await sweep();
    expect([await begun(), (await orchestrator.executions.get(third, again)).state]).toEqual(['CANCELED', 'RUNNING']);
  });

  it('of a guest has its account with the commit that makes it: there is no statement behind that to go wrong', async () => {
    const guest = newPrincipal({
      ...{ userId: newId('guest'), workspaceId: principal.workspaceId },
      guest: {
        mintedById: newId('serviceAccount'),
        parameters: {},
        attributes: {},
        timeZone: undefined,
        locale: undefined,
      },
    });
    await running(runQuery());
    await dataSource.query(`
      create function pg_temp.give_up() returns trigger language plpgsql as $$
      begin raise exception 'given up' using errcode = '57014'; end $$;
      create trigger gives_up before update on orchestrator.execution execute function pg_temp.give_up()`);
    onTestFinished(() => dataSource.query('drop trigger gives_up on orchestrator.execution'));
    const { id, cacheStatus } = await runQuery(guest);
    expect(cacheStatus).toBe('SHARED');
    expect(await dataSource.query('select account_id from orchestrator.execution where id = $1', [id])).toEqual([
      { account_id: guest.guest?.mintedById },
    ]);
  });

  it('is found however many share a run, and looked through in pages', async () => {
    const others = Array.from({ length: 4 }, () => newPrincipal({ workspaceId: principal.workspaceId }));
    const [first] = others;
    if (!first) throw new Error('there is nobody');
    for (const { userId } of others) rights.push({ userId, permissions: ['query.run'], groupNames: [] });
    await running(submitSql(orchestrator, principal, source, 'select 1'));
    await running(submitSql(orchestrator, first, source, 'select 2'));
    for (const text of ['select 1', 'select 2'])
      for (const by of others) await submitSql(orchestrator, by, source, text);
    const repository = new LostAccessRepository(dataSource);
    const find = vi.spyOn(LostAccessRepository.prototype, 'find');
    await sweep(4);
    expect(find.mock.calls.map(([ids]) => ids.length)).toEqual([4, 4, 2]);
    expect(find.mock.calls.flatMap(([ids]) => ids).toSorted()).toEqual((await repository.running()).toSorted());
    rights = rights.filter(({ userId }) => userId === principal.userId);
    await sweep(4);
    const left = await repository.find(await repository.running());
    expect(left.map(({ callerId }) => callerId)).toEqual([principal.userId]);
  });

  it('is looked at no further by a process that ends, nor where auth does not answer', async () => {
    await running(submitSql(orchestrator, principal, source, 'select 1'));
    await running(submitSql(orchestrator, principal, source, 'select 2'));
    const asked = (): number => orchestrator.bus.countOf(authRequests.listUserRights);
    const ending = new AbortController();
    orchestrator.bus.answer(authRequests.listUserRights, () => {
      ending.abort();
      return { users: rights };
    });
    await sweep(1, ending);
    expect(asked()).toBe(1);
    orchestrator.bus.answer(authRequests.listUserRights, () => {
      throw new AppError('bus.timeout', 'No answer.');
    });
    await expect(sweep(1)).rejects.toMatchObject({ code: 'bus.timeout' });
    expect(asked()).toBe(2);
  });

  it.each([
    ['cannot be read', 'internal', undefined],
    ['takes auth too long, which is said at the end', 'bus.unavailable', 'bus.unavailable'],
  ] as const)('is cancelled where another workspace, on whose page it is not, %s', async (_what, code, said) => {
    const other = newPrincipal({ permissions: principal.permissions });
    const mine = submitSql(orchestrator, principal, source, 'select 1');
    const stateOfMine = await running(mine);
    const othersSource = newSource(other.workspaceId);
    answerAround(orchestrator.bus, othersSource);
    const theirs = submitSql(orchestrator, other, othersSource, 'select 1');
    const stateOfTheirs = await running(theirs);
    const ids = [(await mine).id, (await theirs).id];
    vi.spyOn(LostAccessRepository.prototype, 'running').mockResolvedValueOnce(ids);
    orchestrator.bus.answer(authRequests.listUserRights, ({ workspaceId }) => {
      if (workspaceId === principal.workspaceId) throw new AppError(code, 'No rights.');
      return { users: [] };
    });
    expect(await sweep(1).catch(({ code: fault }: AppError) => fault)).toBe(said);
    expect([await stateOfMine(), await stateOfTheirs()]).toEqual(['RUNNING', 'CANCELED']);
  });

  it('goes on while nobody can say who may what', async () => {
    const state = await running(submitSql(orchestrator, principal, source, 'select 1'));
    orchestrator.bus.answer(authRequests.listUserRights, () => {
      throw new AppError('bus.timeout', 'No answer.');
    });
    await expect(sweep()).rejects.toMatchObject({ code: 'bus.timeout' });
    expect(await state()).toBe('RUNNING');
  });
});
