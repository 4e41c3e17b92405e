import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  auditRecorded,
  envelopeCodec,
  type AccessLevel,
  type AuditEntry,
  type DataSource,
  type Grant,
  type Grantee,
  type SavedQuery,
} from '#libs/contracts';
import type { Permission } from '#libs/identity';
import { newId } from '#libs/kernel';
import { callerOf, codeOf, faultOf, MetadataSuite } from '../../test/metadata-suite.js';
import type { Caller } from '../caller.js';
import { RowPolicyService } from '../row-policy/row-policy.service.js';
import { GrantRepository } from './grant.repository.js';
import { RestrictionRepository } from './restriction.repository.js';

let suite: MetadataSuite;
let source: DataSource;
let query: SavedQuery;

beforeAll(async () => {
  suite = await MetadataSuite.start();
});
afterAll(() => suite.stop());
beforeEach(async () => {
  await suite.renew();
  source = await suite.createSource();
  query = await suite.createQuery(source.id);
});

const analyst: readonly Permission[] = ['data_source.read', 'query.run', 'saved_query.read', 'saved_query.run'];

/** Somebody else in the caller's workspace. */
function somebody(part: Partial<Caller> = {}, ...more: Permission[]): Caller {
  return { ...callerOf(suite.caller.workspaceId, [...analyst, ...more]), ...part };
}

const west: Grantee = { kind: 'GROUP', key: 'west' };
const context = { workspaceId: '', requestId: 'req_1', actor: { case: undefined } } as const;

function restrict(assetId: string, by = suite.caller): Promise<unknown> {
  return suite.grants.setRestricted({ assetId, restricted: true }, by);
}

function give(assetId: string, level: AccessLevel, grantee = west, by = suite.caller): Promise<Grant> {
  const asked = { ...context, workspaceId: by.workspaceId };
  return suite.grants.create({ assetId, grantee, level }, by, asked);
}

function runs(subject: { source?: string; query?: string }, by: Caller): Promise<string> {
  const { source: sourceId, query: queryId = '' } = subject;
  const input =
    sourceId === undefined
      ? { case: 'savedQueryId' as const, value: queryId }
      : { case: 'dataSourceId' as const, value: sourceId };
  return suite.runnables.resolve({ subject: input }, by).then(
    () => 'done',
    () => codeOf(suite.runnables.resolve({ subject: input }, by)),
  );
}

/** What somebody sees in lists and by id. */
async function seen(by: Caller): Promise<{ sources: string[]; queries: string[]; counts: number[] }> {
  const page = { first: 100 };
  const [sources, queries] = await Promise.all([
    suite.sources.list({ page }, by),
    suite.queries.list({ page, tags: [] }, by),
  ]);
  const known = await Promise.all([suite.sources.get([source.id], by), suite.queries.get([query.id], by)]);
  expect(known.map((found) => found.length)).toEqual([sources.dataSources.length, queries.savedQueries.length]);
  return {
    sources: sources.dataSources.map(({ id }) => id),
    queries: queries.savedQueries.map(({ id }) => id),
    counts: [sources.totalCount, queries.totalCount],
  };
}

const everything = () => ({ sources: [source.id], queries: [query.id], counts: [1, 1] });
const nothing = { sources: [], queries: [], counts: [0, 0] };

describe('a data source that is restricted', () => {
  it('is gone for everyone without a grant: from lists, by id, for running, with its saved queries', async () => {
    const other = somebody();
    expect(await seen(other)).toEqual(everything());
    await restrict(source.id);
    expect(await seen(other)).toEqual(nothing);
    expect(await runs({ source: source.id }, other)).toBe('source.not_found');
    expect(await runs({ query: query.id }, other)).toBe('saved_query.not_found');
    expect(await codeOf(suite.schemas.list({ dataSourceId: source.id, page: { first: 1 } }, other))).toBe(
      'source.not_found',
    );
  });

  it('is still managed by the one who has restricted it', async () => {
    await restrict(source.id);
    expect(await seen(suite.caller)).toEqual(everything());
    expect(await suite.grants.accessTo([source.id], suite.caller)).toEqual([
      { assetId: source.id, restricted: true, level: 'MANAGE' },
    ]);
  });

  it('comes back with a grant to a group, on the next request, and goes with it', async () => {
    await restrict(source.id);
    const member = somebody({ groups: ['west'] });
    const { id } = await give(source.id, 'RUN');
    expect(await seen(member)).toEqual(everything());
    expect(await runs({ source: source.id }, member)).toBe('done');
    await suite.grants.delete(id, suite.caller);
    expect(await seen(member)).toEqual(nothing);
    expect(await runs({ source: source.id }, member)).toBe('source.not_found');
  });

  it('is open again when it is no longer restricted', async () => {
    await restrict(source.id);
    await suite.grants.setRestricted({ assetId: source.id, restricted: false }, suite.caller);
    expect(await seen(somebody())).toEqual(everything());
  });

  it.each([
    ['DISCOVER', ['auth.forbidden', 'auth.forbidden', 'auth.forbidden', 'auth.forbidden']],
    ['RUN', ['done', 'auth.forbidden', 'auth.forbidden', 'auth.forbidden']],
    ['EDIT', ['done', 'done', 'auth.forbidden', 'auth.forbidden']],
    ['MANAGE', ['done', 'done', 'done', 'source.in_use']],
  ] as const)('with a grant of %s allows that and no more, whatever the role allows', async (level, due) => {
    await restrict(source.id);
    await give(source.id, level);
    const by = somebody({ groups: ['west'] }, 'data_source.manage', 'saved_query.manage');
    const outcomes = [
      await runs({ source: source.id }, by),
      await outcome(suite.sources.update({ id: source.id, version: 1, name: 'New', cleared: [] }, by)),
      await outcome(give(source.id, 'RUN', { kind: 'GROUP', key: 'east' }, by)),
      await outcome(suite.sources.delete(source.id, by)),
    ];
    expect(outcomes).toEqual(due);
  });

  it('lets nobody do by a grant what the role does not allow', async () => {
    await restrict(source.id);
    await give(source.id, 'MANAGE');
    const viewer = { ...callerOf(suite.caller.workspaceId, ['saved_query.run']), groups: ['west'] };
    expect(await runs({ source: source.id }, viewer)).toBe('auth.forbidden');
    expect(await suite.sources.get([source.id], viewer)).toEqual([]);
  });
});

async function outcome(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
}

describe('a saved query that is restricted', () => {
  it('is run, and not read, by those with a grant of RUN', async () => {
    await restrict(query.id);
    await give(query.id, 'RUN');
    const member = somebody({ groups: ['west'] }, 'saved_query.manage');
    expect(await runs({ query: query.id }, member)).toBe('done');
    expect((await suite.queries.get([query.id], member)).map(({ sql }) => sql)).toEqual(['']);
    const { savedQueries } = await suite.queries.list({ page: { first: 1 }, tags: [] }, member);
    expect(savedQueries.map(({ sql }) => sql)).toEqual(['']);
    const change = { id: query.id, version: 1, sql: 'select 2', cleared: [] };
    expect(await codeOf(suite.queries.update(change, member))).toBe('auth.forbidden');
    expect(await runs({ query: query.id }, somebody())).toBe('saved_query.not_found');
  });

  it('opens its restricted source only as far as one who manages the source has said so', async () => {
    const author = somebody({}, 'saved_query.manage');
    await restrict(query.id, author);
    await give(query.id, 'RUN', west, author);
    const member = somebody({ groups: ['west'] });
    expect(await runs({ query: query.id }, member)).toBe('done');
    await restrict(source.id);
    expect(await runs({ query: query.id }, member)).toBe('saved_query.not_found');
    // Who manages the source reaches the query as everyone does: by a grant on it.
    await give(
      query.id,
      'MANAGE',
      { kind: 'GROUP', key: 'stewards' },
      { ...suite.caller, permissions: new Set([...suite.caller.permissions, 'grant.manage'] as const) },
    );
    await give(query.id, 'RUN', west, { ...suite.caller, groups: ['stewards'] });
    expect(await runs({ query: query.id }, member)).toBe('done');
    expect(await runs({ source: source.id }, member)).toBe('source.not_found');
  });

  it('is in lists exactly where it is found by id: a grant that does not open it shows it to none who only see its source', async () => {
    const author = somebody({}, 'saved_query.manage');
    await restrict(query.id, author);
    await give(query.id, 'RUN', west, author);
    await restrict(source.id);
    await give(source.id, 'DISCOVER');
    const member = somebody({ groups: ['west'] });
    expect(await seen(member)).toEqual({ sources: [source.id], queries: [], counts: [1, 0] });
    await give(source.id, 'RUN');
    expect(await seen(member)).toEqual(everything());
  });

  it('is checked again when it is edited: without its source nobody changes its text', async () => {
    const editor = somebody({ groups: ['west'] }, 'saved_query.manage');
    await restrict(query.id);
    await give(query.id, 'EDIT');
    await restrict(source.id);
    await give(query.id, 'EDIT');
    const change = { id: query.id, version: 1, sql: 'select secret from everything', cleared: [] };
    expect(await codeOf(suite.queries.update(change, editor))).toBe('source.not_found');
    await give(source.id, 'RUN');
    expect((await suite.queries.update(change, editor)).version).toBe(2);
  });

  it('on a restricted source is made by those who may ask that', async () => {
    await restrict(source.id);
    const author = somebody({ groups: ['west'] }, 'saved_query.manage');
    const input = { name: 'New', dataSourceId: source.id, sql: 'select 1', parameters: [], tags: [] };
    expect(await codeOf(suite.queries.create(input, author))).toBe('source.not_found');
    await give(source.id, 'DISCOVER');
    expect(await codeOf(suite.queries.create(input, author))).toBe('auth.forbidden');
    await give(source.id, 'RUN');
    expect((await suite.queries.create(input, author)).sql).toBe('select 1');
  });

  it('leaves no grant behind when it is deleted, and what it has answered stays closed', async () => {
    await restrict(query.id);
    await give(query.id, 'RUN');
    await suite.queries.delete(query.id, suite.caller);
    const { restrictions } = await suite.app.get(RestrictionRepository).list(suite.caller.workspaceId, 0);
    expect(restrictions).toEqual([{ assetId: query.id, grants: [] }]);
  });
});

/** What is told to the audit log of the caller's workspace, in order. */
async function audited(): Promise<AuditEntry[]> {
  const contract = auditRecorded.metadata;
  const rows = await suite.database.query<{ envelope: Buffer }[]>(
    'select envelope from metadata.outbox order by sequence',
  );
  return rows
    .map((row) => envelopeCodec.decode(row.envelope))
    .filter(({ workspaceId, type }) => workspaceId === suite.caller.workspaceId && type === contract.type)
    .flatMap(({ payload }) => contract.codec.decode(payload).entries);
}

describe('a grant on a saved query whose source was open', () => {
  it('is no way in once the source is restricted, until it is given again; the audit log says which were closed', async () => {
    await restrict(query.id);
    const { id } = await give(query.id, 'RUN');
    const member = somebody({ groups: ['west'] });
    expect(await runs({ query: query.id }, member)).toBe('done');
    await restrict(source.id);
    expect(await runs({ query: query.id }, member)).toBe('saved_query.not_found');
    const [told] = (await audited()).filter(
      ({ action, target }) => action === 'asset.restricted' && target?.id === source.id,
    );
    expect(told?.after?.['closedGrantIds']).toContain(id);
    const above = { ...suite.caller, permissions: new Set([...suite.caller.permissions, 'grant.manage'] as const) };
    await give(query.id, 'RUN', west, above);
    expect(await runs({ query: query.id }, member)).toBe('done');
    await restrict(source.id);
    expect(await runs({ query: query.id }, member)).toBe('done');
  });
});

describe('grants', () => {
  it('are in the audit log, each with what it was before, also that of the one who restricts', async () => {
    await restrict(query.id);
    const { id } = await give(query.id, 'RUN');
    await give(query.id, 'EDIT');
    const told = (await audited()).filter(({ action }) => action.startsWith('grant.'));
    expect(told.map(({ action }) => action)).toEqual(['grant.created', 'grant.created', 'grant.updated']);
    expect(told[0]?.after).toMatchObject({ level: 'MANAGE', grantee: { kind: 'USER', key: suite.caller.userId } });
    expect(told[2]).toMatchObject({ target: { id }, before: { level: 'RUN' }, after: { level: 'EDIT' } });
  });

  it('are not left behind on a saved query that is being deleted', async () => {
    const deletion = suite.database.createQueryRunner();
    await deletion.startTransaction();
    await deletion.query('delete from metadata.saved_query where id = $1', [query.id]);
    const given = codeOf(give(query.id, 'RUN'));
    await expect
      .poll(() => suite.database.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`))
      .not.toEqual([]);
    await deletion.commitTransaction();
    await deletion.release();
    expect(await given).toBe('asset.not_found');
    const left = `select 1 from metadata.asset_grant where asset_id = $1`;
    expect(await suite.database.query(left, [query.id])).toEqual([]);
  });

  it('of one thing are seen by those who manage it, and of all by those who manage all', async () => {
    await restrict(source.id);
    const grant = await give(source.id, 'RUN');
    const member = somebody({ groups: ['west'] }, 'data_source.manage');
    const page = { first: 10 };
    expect(await codeOf(suite.grants.list({ page, assetId: source.id }, member))).toBe('auth.forbidden');
    expect(await suite.grants.get([grant.id], member)).toEqual([]);
    expect(await codeOf(suite.grants.list({ page }, suite.caller))).toBe('auth.forbidden');
    const above = somebody({}, 'grant.manage');
    const all = await suite.grants.list({ page }, above);
    expect(all.grants.map(({ grantee }) => grantee?.key)).toEqual(['west', suite.caller.userId]);
    expect((await suite.grants.list({ page, grantee: west }, above)).grants).toEqual([grant]);
  });

  it('are searched literally by the names of things and of groups, as far as the caller sees those', async () => {
    const other = await suite.createSource('West 100%_');
    // By that it is given to the caller.
    await restrict(query.id);
    const ofSource = await give(other.id, 'RUN', { kind: 'GROUP', key: 'chiefs' });
    const ofGroup = await give(query.id, 'RUN', { kind: 'GROUP', key: 'West 100%_ side' });
    const find = async (search: string, by = somebody({}, 'grant.manage'), assetId?: string) => {
      const { grants, totalCount } = await suite.grants.list({ page: { first: 10 }, search, assetId }, by);
      expect(totalCount).toBe(grants.length);
      return grants.map(({ id }) => id);
    };
    expect(await find('west 100%_')).toEqual([ofGroup.id, ofSource.id]);
    expect(await find('west 100__')).toEqual([]);
    expect(await find(query.name)).toHaveLength(2);
    expect(await find('west', suite.caller, other.id)).toEqual([ofSource.id]);
    const blind = callerOf(suite.caller.workspaceId, ['grant.manage']);
    expect([await find('west', blind), await find(query.name, blind)]).toEqual([[ofGroup.id], []]);
    expect(await find('west', callerOf(newId('workspace'), [...analyst, 'grant.manage']))).toEqual([]);
  });

  it('given again to the same group change their level and are no second one', async () => {
    await restrict(source.id);
    const first = await give(source.id, 'RUN');
    const second = await give(source.id, 'DISCOVER');
    expect(second).toMatchObject({ id: first.id, level: 'DISCOVER' });
    expect(await runs({ source: source.id }, somebody({ groups: ['west'] }))).toBe('auth.forbidden');
  });

  it('are refused on what is not there, what one does not manage, and to nobody', async () => {
    expect(await faultOf(give(newId('savedQuery'), 'RUN'))).toMatchObject({ code: 'asset.not_found', path: 'assetId' });
    expect(await codeOf(give(source.id, 'RUN', west, somebody()))).toBe('auth.forbidden');
    expect(await codeOf(give(source.id, 'RUN', { kind: 'GROUP', key: '' }))).toBe('input.invalid');
    expect(await codeOf(give(source.id, 'RUN', { kind: 'USER', key: 'nobody' }))).toBe('auth.user_not_found');
    expect(await codeOf(suite.grants.delete(newId('grant'), suite.caller))).toBe('grant.not_found');
  });

  it('of another workspace are not there, and neither are its things', async () => {
    await restrict(source.id);
    const grant = await give(source.id, 'RUN');
    const stranger = {
      ...suite.stranger,
      permissions: new Set([...suite.stranger.permissions, 'grant.manage'] as const),
    };
    expect(await codeOf(give(source.id, 'RUN', west, stranger))).toBe('asset.not_found');
    expect(await codeOf(restrict(source.id, stranger))).toBe('asset.not_found');
    expect(await codeOf(suite.grants.delete(grant.id, stranger))).toBe('grant.not_found');
    expect(await suite.grants.get([grant.id], stranger)).toEqual([]);
    expect(await suite.grants.accessTo([source.id], stranger)).toEqual([]);
    expect((await suite.grants.list({ page: { first: 10 } }, stranger)).grants).toEqual([]);
  });
});

describe('a group that is to be deleted', () => {
  it('is counted where a grant or a row policy names it, in its own workspace alone', async () => {
    const uses = (name: string, workspaceId = suite.caller.workspaceId) =>
      suite.app.get(GrantRepository).countUsesOf(name, workspaceId);
    await give(source.id, 'RUN');
    const columns = [{ name: 'region', type: 'TEXT' as const, sourceType: 'text', nullable: true }];
    suite.bus.readSchema = async () => [{ schema: 'public', name: 'sales', columns }];
    const { id: dataSourceId } = await suite.createSource('Regions');
    await suite.schemasRead();
    const policy = { dataSourceId, predicate: 'true', masks: [], enabled: false };
    const by = {
      ...suite.caller,
      permissions: new Set<Permission>([...suite.caller.permissions, 'row_policy.manage']),
    };
    for (const [name, groupNames, exemptGroupNames] of [
      ['in', ['west'], []],
      ['exempt', [], ['west', 'east']],
    ] as const) {
      await suite.app
        .get(RowPolicyService)
        .create({ ...policy, name, groupNames: [...groupNames], exemptGroupNames: [...exemptGroupNames] }, by);
    }
    expect(await uses('west')).toEqual({ rowPolicies: 2, grants: 1 });
    expect(await uses('east')).toEqual({ rowPolicies: 1, grants: 0 });
    expect(await uses('we')).toEqual({ rowPolicies: 0, grants: 0 });
    expect(await uses('west', suite.stranger.workspaceId)).toEqual({ rowPolicies: 0, grants: 0 });
  });
});
