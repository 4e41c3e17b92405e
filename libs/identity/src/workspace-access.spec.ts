import { describe, expect, it } from 'vitest';
import type { AccessLevel, Restriction } from '#libs/contracts';
import type { Permission } from './permissions.js';
import { WorkspaceAccess, type Reacher } from './workspace-access.js';

const levels = ['DISCOVER', 'RUN', 'EDIT', 'MANAGE'] as const satisfies AccessLevel[];
const query = { id: 'qry_1', dataSourceId: 'src_1' };

function person(part: Partial<Reacher> = {}, ...permissions: Permission[]): Reacher {
  return { userId: 'usr_1', groups: [], permissions: new Set(permissions), ...part };
}

function granted(level: AccessLevel, to: { user?: string; group?: string }, opensSource = false) {
  const grantee = to.group === undefined ? { kind: 'USER', key: to.user ?? '' } : { kind: 'GROUP', key: to.group };
  return { grantee, level, opensSource } as Restriction['grants'][number];
}

function access(restricted: Record<string, Restriction['grants']>): WorkspaceAccess {
  return new WorkspaceAccess(Object.entries(restricted).map(([assetId, grants]) => ({ assetId, grants })));
}

/** The levels that somebody reaches of a source and of a saved query on it. */
function reached(given: WorkspaceAccess, reacher: Reacher): { source: AccessLevel[]; query: AccessLevel[] } {
  return {
    source: levels.filter((level) => given.reachesSource(reacher, 'src_1', level)),
    query: levels.filter((level) => given.reachesQuery(reacher, query, level)),
  };
}

describe('what is not restricted', () => {
  it('is reached by everybody, whatever grants there are elsewhere', () => {
    const given = access({ src_2: [granted('RUN', { user: 'usr_2' })] });
    expect(reached(given, person())).toEqual({ source: levels, query: levels });
  });
});

describe('a restricted data source', () => {
  it('without a grant is not there, and neither are the saved queries on it', () => {
    expect(reached(access({ src_1: [] }), person())).toEqual({ source: [], query: [] });
  });

  it.each(levels)('is reached up to %s by a user and by a group who have that grant', (level) => {
    const due = levels.slice(0, levels.indexOf(level) + 1);
    expect(reached(access({ src_1: [granted(level, { user: 'usr_1' })] }), person()).source).toEqual(due);
    const byGroup = access({ src_1: [granted(level, { group: 'west' })] });
    expect(reached(byGroup, person({ groups: ['west'] })).source).toEqual(due);
    expect(reached(byGroup, person({ groups: ['east'] })).source).toEqual([]);
  });

  it('opens its saved queries to those who may ask it, and only shows them to others who see it', () => {
    expect(reached(access({ src_1: [granted('RUN', { user: 'usr_1' })] }), person()).query).toEqual(levels);
    expect(reached(access({ src_1: [granted('DISCOVER', { user: 'usr_1' })] }), person()).query).toEqual(['DISCOVER']);
  });

  it('of several grants goes by the one that allows most', () => {
    const given = access({ src_1: [granted('DISCOVER', { user: 'usr_1' }), granted('EDIT', { group: 'west' })] });
    expect(reached(given, person({ groups: ['west'] })).source).toEqual(['DISCOVER', 'RUN', 'EDIT']);
  });

  it('mistakes no group for a user of that name', () => {
    const given = access({ src_1: [granted('RUN', { group: 'usr_1' }), granted('RUN', { user: 'west' })] });
    expect(reached(given, person({ groups: ['west'] })).source).toEqual([]);
  });
});

describe('a restricted saved query', () => {
  it('is reached by its own grants, also by those who may ask its source', () => {
    const given = access({ qry_1: [granted('RUN', { user: 'usr_2' })] });
    expect(reached(given, person()).query).toEqual([]);
    expect(reached(given, person({ userId: 'usr_2' })).query).toEqual(['DISCOVER', 'RUN']);
  });

  it('is not opened by a grant on it where its source is restricted, unless whoever gave it managed the source', () => {
    const narrow = access({ src_1: [], qry_1: [granted('RUN', { user: 'usr_1' })] });
    expect(reached(narrow, person())).toEqual({ source: [], query: [] });
    const opened = access({ src_1: [], qry_1: [granted('RUN', { user: 'usr_1' }, true)] });
    expect(reached(opened, person())).toEqual({ source: [], query: ['DISCOVER', 'RUN'] });
  });

  it('is read by those who may edit it and see its source: running it shows nothing of its text', () => {
    const given = access({
      qry_1: [granted('RUN', { user: 'usr_run' }), granted('EDIT', { user: 'usr_edit' })],
      src_2: [],
      qry_2: [granted('EDIT', { user: 'usr_edit' }, true)],
    });
    expect(given.readsText(person({ userId: 'usr_run' }), query)).toBe(false);
    expect(given.readsText(person({ userId: 'usr_edit' }), query)).toBe(true);
    expect(given.readsText(person({ userId: 'usr_edit' }), { id: 'qry_2', dataSourceId: 'src_2' })).toBe(false);
  });
});

describe('whoever manages all grants', () => {
  it('reaches everything, but with a key that is confined only what that names', () => {
    const given = access({ src_1: [], qry_1: [] });
    expect(reached(given, person({}, 'grant.manage'))).toEqual({ source: levels, query: levels });
    const reach = { dataSourceIds: ['src_2'], savedQueryIds: [] };
    expect(reached(given, person({ reach }, 'grant.manage'))).toEqual({ source: [], query: [] });
  });
});

describe('a key that is confined', () => {
  it('to a data source reaches that and its saved queries', () => {
    const reach = { dataSourceIds: ['src_1'], savedQueryIds: [] };
    expect(reached(access({}), person({ reach }))).toEqual({ source: levels, query: levels });
    expect(access({}).reachesSource(person({ reach }), 'src_2', 'DISCOVER')).toBe(false);
  });

  it('to a saved query runs that alone and does not see its text', () => {
    const reach = { dataSourceIds: [], savedQueryIds: ['qry_1'] };
    const given = access({});
    expect(reached(given, person({ reach })).source).toEqual([]);
    expect(given.reachesQuery(person({ reach }), query, 'RUN')).toBe(true);
    expect(given.reachesQuery(person({ reach }), { ...query, id: 'qry_2' }, 'DISCOVER')).toBe(false);
    expect(given.readsText(person({ reach }), query)).toBe(false);
  });

  it('reaches no more than its owner', () => {
    const reach = { dataSourceIds: ['src_1'], savedQueryIds: ['qry_1'] };
    expect(reached(access({ src_1: [], qry_1: [] }), person({ reach }))).toEqual({ source: [], query: [] });
  });
});

describe('a guest', () => {
  it('reaches what the service account reaches that has let it in', () => {
    const guest = { mintedById: 'usr_service', parameters: {}, attributes: {} };
    const reach = { dataSourceIds: [], savedQueryIds: ['qry_1'] };
    const given = access({ qry_1: [granted('RUN', { user: 'usr_service' })] });
    expect(reached(given, person({ userId: 'gst_1', guest, reach })).query).toEqual(['DISCOVER', 'RUN']);
    expect(reached(given, person({ userId: 'gst_1', reach })).query).toEqual([]);
  });
});
