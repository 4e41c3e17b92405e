import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asWorkOf, newId } from '#libs/kernel';
import { until } from '#libs/testing';
import { anEntry, BatchReceiver, collectEntries, SyslogServer } from '../../test/audit-suite.js';
import { codeOf, MetadataSuite, sourceOptions } from '../../test/metadata-suite.js';
import { noHash } from './audit-body.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditForwarderService } from './audit-forwarder.service.js';
import { AuditRetentionService } from './audit-retention.service.js';
import { AuditService } from './audit.service.js';

let suite: MetadataSuite;
let audit: AuditService;
let chains: AuditChainRepository;
let forwarders: AuditForwarderService;
beforeAll(async () => {
  suite = await MetadataSuite.start();
  audit = suite.app.get(AuditService);
  chains = suite.app.get(AuditChainRepository);
  forwarders = suite.app.get(AuditForwarderService);
});
beforeEach(() => suite.renew());
afterAll(() => suite.stop());

const append = (...entries: ReturnType<typeof anEntry>[]) =>
  chains.append([{ messageId: newId('message'), workspaceId: suite.caller.workspaceId, entries }]);

async function aChain(count: number): Promise<void> {
  const { workspaceId } = suite.caller;
  await append(...Array.from({ length: count }, (_, at) => anEntry(workspaceId, { action: `thing.done_${at}` })));
}

/** What only somebody with the rights of the database's owner can do. */
async function behindTheGuards(statement: string): Promise<void> {
  await suite.database.transaction(async (manager) => {
    await manager.query(`set local session_replication_role = replica`);
    await manager.query(statement, [suite.caller.workspaceId]);
  });
}

describe('an entry of the audit log', () => {
  it('is there exactly where the change is, and says who, what, from where and for which request', async () => {
    const { workspaceId, userId } = suite.caller;
    const origin = {
      ...{ workspaceId, requestId: 'req_of_test', clientAddress: '203.0.113.7', userAgent: 'curl/8' },
      actor: { kind: 'USER', id: userId },
    } as const;
    const source = await asWorkOf(origin, () => suite.createSource('Sales'));
    await codeOf(asWorkOf(origin, () => suite.createSource('Sales')));
    const ofWorkspace = (await collectEntries(suite)).filter((entry) => entry.workspaceId === workspaceId);
    expect(ofWorkspace).toMatchObject([
      {
        action: 'data_source.created',
        actor: { kind: 'USER', id: userId },
        target: { type: 'data_source', id: source.id, name: 'Sales' },
        requestId: 'req_of_test',
        clientAddress: '203.0.113.7',
        userAgent: 'curl/8',
        outcome: 'SUCCESS',
        service: 'metadata',
      },
    ]);
  });

  it('holds of a change what differs, and never a secret', async () => {
    const source = await suite.createSource();
    await suite.sources.update(
      { id: source.id, version: source.version, name: 'Renamed', options: { password: 'hunter3' }, cleared: [] },
      suite.caller,
    );
    const entries = (await collectEntries(suite)).filter(({ workspaceId }) => workspaceId === suite.caller.workspaceId);
    const update = entries.find(({ action }) => action === 'data_source.updated');
    expect(update?.before).toMatchObject({ name: 'Sales' });
    expect(update?.after).toMatchObject({ name: 'Renamed' });
    expect(Object.keys(update?.after ?? {}).sort()).toEqual(['name', 'sealedOptionsPrint']);
    const text = JSON.stringify(entries);
    expect(text).not.toContain('hunter');
    expect(text).toContain(sourceOptions.host);
  });

  it('is chained once, however often its message comes', async () => {
    const { workspaceId } = suite.caller;
    const message = { messageId: newId('message'), workspaceId, entries: [anEntry(workspaceId)] };
    await Promise.all([1, 2, 3].map(() => chains.append([message, message])));
    expect((await chains.state(workspaceId)).last.sequence).toBe(1);
  });

  it('is chained in the order in which messages come together, each workspace by itself, also where others append the same', async () => {
    const other = newId('workspace');
    const { workspaceId } = suite.caller;
    const messages = Array.from({ length: 40 }, (_, at) => {
      const of = at % 2 === 0 ? workspaceId : other;
      return { messageId: newId('message'), workspaceId: of, entries: [anEntry(of, { action: `thing.done_${at}` })] };
    });
    await Promise.all([chains.append(messages), chains.append(messages.toReversed()), chains.append(messages)]);
    for (const each of [workspaceId, other]) {
      expect((await chains.state(each)).last.sequence).toBe(20);
      expect((await chains.check(each, { sequence: 0, hash: noHash }, 100)).fault).toBeUndefined();
    }
    const told = messages.filter((each) => each.workspaceId === workspaceId).map(({ entries }) => entries[0]?.action);
    const { entries } = await audit.list({ page: { first: 50 } }, suite.caller);
    const actions = entries.map(({ entry }) => entry?.action);
    expect([told, told.toReversed()]).toContainEqual(actions);
  });

  it('is hashed as docs/audit.md tells verifiers, without gaps under concurrent writers', async () => {
    const { workspaceId } = suite.caller;
    await Promise.all(Array.from({ length: 20 }, () => append(anEntry(workspaceId), anEntry(workspaceId))));
    const { lines } = await audit.export({ afterSequence: 0, begins: false }, suite.caller);
    let previous = '0'.repeat(64);
    const parsed = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { sequence: number; previousHash: string; hash: string; entry: object });
    for (const { sequence, previousHash, hash, entry } of parsed) {
      expect(previousHash).toBe(previous);
      const text = `${previousHash}\n${sequence}\n${JSON.stringify(entry)}`;
      expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
      previous = hash;
    }
    expect(parsed.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
  });

  it('with texts that PostgreSQL cannot keep in JSON is kept all the same', async () => {
    await append(anEntry(suite.caller.workspaceId, { userAgent: 'a\0b\uD800c' }));
    const { entries } = await audit.list({ page: { first: 1 } }, suite.caller);
    expect(entries[0]?.entry?.userAgent).toBe('ab\uFFFDc');
  });
});

describe('the audit log', () => {
  it('can be neither changed nor deleted nor cut by the service itself', async () => {
    await aChain(3);
    const { workspaceId } = suite.caller;
    const statements = [
      `update metadata.audit_entry set body = replace(body, 'usr_1', 'usr_2') where workspace_id = $1`,
      `delete from metadata.audit_entry where workspace_id = $1`,
      `update metadata.audit_chain set last_sequence = 1 where workspace_id = $1`,
      `update metadata.audit_chain set anchor_sequence = 3, anchor_hash = last_hash where workspace_id = $1`,
      `delete from metadata.audit_chain where workspace_id = $1`,
    ];
    for (const statement of statements) {
      await expect(suite.database.query(statement, [workspaceId]), statement).rejects.toMatchObject({ code: '23001' });
    }
    for (const table of ['audit_entry', 'audit_chain, metadata.audit_entry']) {
      await expect(suite.database.query(`truncate metadata.${table}`)).rejects.toMatchObject({ code: '23001' });
    }
    expect((await audit.verify(0, suite.caller)).fault).toBeUndefined();
  });

  it.each([
    [
      'a changed entry',
      'CHANGED',
      3,
      `update metadata.audit_entry set body = replace(body, 'usr_1', 'usr_2') where workspace_id = $1 and sequence = 3`,
    ],
    ['a removed entry', 'MISSING', 4, `delete from metadata.audit_entry where workspace_id = $1 and sequence = 3`],
    ['a removed beginning', 'MISSING', 2, `delete from metadata.audit_entry where workspace_id = $1 and sequence = 1`],
    ['a removed end', 'CUT', 5, `delete from metadata.audit_entry where workspace_id = $1 and sequence = 5`],
    [
      'a forged end',
      'CUT',
      5,
      `with gone as (delete from metadata.audit_entry where workspace_id = $1 and sequence = 5 returning previous_hash)
      insert into metadata.audit_entry (workspace_id, sequence, previous_hash, hash, body)
      select $1, 6 - 1, previous_hash, sha256(convert_to(encode(previous_hash, 'hex') || E'\\n5\\n' || body, 'UTF8')), body
      from gone, (select replace(body, 'done_0', 'done_4') as body from metadata.audit_entry where workspace_id = $1 and sequence = 1) b`,
    ],
    [
      'an entry that was replaced and hashed anew',
      'UNLINKED',
      4,
      `update metadata.audit_entry set
      body = replace(body, 'usr_1', 'usr_2'),
      hash = sha256(convert_to(encode(previous_hash, 'hex') || E'\\n3\\n' || replace(body, 'usr_1', 'usr_2'), 'UTF8'))
      where workspace_id = $1 and sequence = 3`,
    ],
    [
      'two entries that changed places',
      'UNLINKED',
      2,
      `update metadata.audit_entry a set previous_hash = b.previous_hash, hash = b.hash, body = b.body
      from metadata.audit_entry b where a.workspace_id = $1 and b.workspace_id = $1 and a.sequence in (2, 3) and b.sequence = 5 - a.sequence`,
    ],
  ] as const)('shows %s', async (_name, kind, sequence, tampering) => {
    await aChain(5);
    expect((await audit.verify(0, suite.caller)).checked).toBe(5);
    await behindTheGuards(tampering);
    expect((await audit.verify(0, suite.caller)).fault).toEqual({ kind, sequence });
  });

  it('lies in partitions of a quarter: one that is over goes when nothing is left in it, and a year ahead is there', async () => {
    await aChain(3);
    const inYears = `select metadata.drop_empty_audit_partitions(now() + interval '5 years') as name`;
    const dropped: { name: string }[] = await suite.database.query(inYears);
    expect(dropped).toHaveLength(4);
    for (const { name } of dropped) expect(name).toMatch(/^audit_entry_\d{4}_[1-4]$/);
    expect(await chains.renewPartitions()).toEqual([]);
    const partitions: { name: string }[] = await suite.database.query(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'metadata.audit_entry'::regclass`,
    );
    expect(partitions).toHaveLength(5);
    await expect(suite.database.query('truncate metadata.audit_entry_first')).rejects.toThrow(/neither changed/);
    await aChain(2);
    expect(await chains.state(suite.caller.workspaceId)).toMatchObject({ last: { sequence: 5 } });
  });

  it('is verified from any entry on, and forgets by retention without breaking its chain', async () => {
    const { workspaceId } = suite.caller;
    const old = new Date(Date.now() - 40 * 86_400_000);
    await append(...Array.from({ length: 5 }, () => anEntry(workspaceId, { occurredAt: old })));
    await aChain(3);
    const retention = suite.app.get(AuditRetentionService);
    await retention.sweep(new AbortController().signal);
    expect((await audit.verify(0, suite.caller)).anchorSequence).toBe(0);
    expect(await codeOf(audit.setRetention(29, suite.caller))).toBe('input.invalid');
    await audit.setRetention(30, suite.caller);
    await retention.sweep(new AbortController().signal);
    const verified = await audit.verify(0, suite.caller);
    expect(verified).toMatchObject({ anchorSequence: 5, checked: 3, verifiedTo: 8, retentionDays: 30 });
    expect(verified.fault).toBeUndefined();
    expect((await audit.verify(7, suite.caller)).checked).toBe(1);
    expect(await codeOf(audit.verify(99, suite.caller))).toBe('input.invalid');
  });

  it('is listed newest first by who, what, on what, when and by search, and never to another workspace', async () => {
    const { workspaceId } = suite.caller;
    const day = (at: number) => new Date(Date.UTC(2026, 0, at));
    await append(
      anEntry(workspaceId, { action: 'user.created', occurredAt: day(1), target: { type: 'user', id: 'usr_9' } }),
      anEntry(workspaceId, { action: 'user.disabled', occurredAt: day(2), actor: { kind: 'USER', id: 'usr_2' } }),
      anEntry(workspaceId, { action: 'userless.done', occurredAt: day(3), outcome: 'FAILURE', reason: 'NO_LUCK' }),
    );
    const actionsOf = async (filter: object, by = suite.caller): Promise<(string | undefined)[]> =>
      (await audit.list({ page: { first: 10 }, filter }, by)).entries.map(({ entry }) => entry?.action);
    expect(await actionsOf({})).toEqual(['userless.done', 'user.disabled', 'user.created']);
    expect(await actionsOf({ action: 'user.' })).toEqual(['user.disabled', 'user.created']);
    expect(await actionsOf({ action: 'user.created' })).toEqual(['user.created']);
    expect(await actionsOf({ actorId: 'usr_2' })).toEqual(['user.disabled']);
    expect(await actionsOf({ targetType: 'user', targetId: 'usr_9' })).toEqual(['user.created']);
    expect(await actionsOf({ from: day(2), to: day(3) })).toEqual(['user.disabled']);
    expect(await actionsOf({ outcome: 'FAILURE' })).toEqual(['userless.done']);
    expect(await actionsOf({ search: 'no_LUCK' })).toEqual(['userless.done']);
    expect(await actionsOf({}, suite.stranger)).toEqual([]);
    const first = await audit.list({ page: { first: 2 } }, suite.caller);
    const rest = await audit.list({ page: { first: 2, after: first.pageInfo?.endCursor } }, suite.caller);
    expect([first.pageInfo?.hasNextPage, rest.entries.length]).toEqual([true, 1]);
    // As it is written, whatever cases the database knows.
    await append(anEntry(workspaceId, { action: 'place.made', target: { type: 'place', id: 'x', name: 'Évry' } }));
    expect(await actionsOf({ search: 'Évry', targetType: 'place' })).toEqual(['place.made']);
  });

  it('tells that it was exported, in pages of bounded size', async () => {
    const { workspaceId } = suite.caller;
    await append(...Array.from({ length: 100 }, () => anEntry(workspaceId, { after: { text: 'x'.repeat(15_000) } })));
    let [after, lines, pages] = [0, 0, 0];
    for (;;) {
      const page = await audit.export({ afterSequence: after, begins: after === 0 }, suite.caller);
      expect(page.lines.length).toBeLessThan(300_000);
      if (!page.hasMore) break;
      lines += page.lines.trim().split('\n').length;
      pages += 1;
      after = page.lastSequence;
    }
    expect([lines, pages > 3]).toEqual([100, true]);
    const collected = await collectEntries(suite);
    expect(collected.filter((each) => each.workspaceId === workspaceId).map(({ action }) => action)).toEqual([
      'audit_log.exported',
    ]);
  });
});

describe('forwarding', () => {
  it('sends every entry to a webhook, signed and in order, and again until it is taken', async () => {
    await using receiver = await BatchReceiver.start();
    receiver.status = 500;
    await aChain(3);
    const made = await forwarders.create({ name: 'SIEM', url: receiver.url, fromBeginning: true }, suite.caller);
    await until(() => receiver.bodies.length > 0);
    receiver.status = 204;
    await until(async () => {
      const { forwarders: all } = await forwarders.list({ page: { first: 10 } }, suite.caller);
      return all[0]?.forwardedSequence === 3;
    });
    const [body = '', headers] = [receiver.bodies.at(-1), receiver.headers.at(-1)];
    expect(receiver.bodies.length).toBeGreaterThan(1);
    const sequences = body
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { sequence: number }).sequence);
    expect(sequences).toEqual([1, 2, 3]);
    const key = Buffer.from((made.secret ?? '').slice('whsec_'.length), 'base64');
    const signed = `${String(headers?.['webhook-id'])}.${String(headers?.['webhook-timestamp'])}.${body}`;
    expect(headers?.['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  });

  it('sends every entry to syslog by RFC 5424, again where the connection broke', async () => {
    await using syslog = await SyslogServer.start();
    syslog.breakOff = 1;
    await aChain(2);
    await forwarders.create({ name: 'Syslog', url: syslog.url, fromBeginning: true }, suite.caller);
    await until(() => syslog.messages.length === 2);
    expect(syslog.messages[0]).toMatch(
      /^<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ sluice - thing\.done_0 \[audit@32473 workspace="wsp_\w+" sequence="1" previousHash="0{64}" hash="\w{64}"\] \uFEFF\{"action"/,
    );
  });

  it('begins where it was made, and goes to no address that the operator has not allowed', async () => {
    const refused = [
      ['http://10.0.0.1/', 'public addresses'],
      ['https://169.254.169.254/', 'public addresses'],
      ['syslog+tcp://10.0.0.1:514', 'public addresses'],
      ['http://192.0.2.1/', 'public addresses'],
      ['ftp://example.com', 'must begin with'],
    ] as const;
    for (const [url, why] of refused) {
      const creating = forwarders.create({ name: 'In', url, fromBeginning: false }, suite.caller);
      await expect(creating, url).rejects.toMatchObject({
        code: 'input.invalid',
        message: expect.stringContaining(why),
      });
    }
    await aChain(2);
    const input = { name: 'Out', url: 'https://siem.example.com/in', fromBeginning: false };
    const { forwarder } = await forwarders.create(input, suite.caller);
    expect([forwarder?.forwardedSequence, forwarder?.lastSequence]).toEqual([2, 2]);
    const key = { id: forwarder?.id ?? '', version: 1 };
    expect(await codeOf(forwarders.update({ ...key, enabled: false }, suite.stranger))).toBe(
      'audit.forwarder_not_found',
    );
    expect((await forwarders.update({ ...key, enabled: false }, suite.caller)).enabled).toBe(false);
    expect(await codeOf(forwarders.delete(key.id, suite.stranger))).toBe('audit.forwarder_not_found');
    await forwarders.delete(key.id, suite.caller);
    expect((await forwarders.list({ page: { first: 10 } }, suite.caller)).forwarders).toEqual([]);
  });

  it('is found by its name and by the host of its receiver, literally, and not by what lets one in there', async () => {
    for (const [name, url] of [
      ['100%_', 'https://siem.example.com/token-of-it?key=of-it'],
      ['100 %', 'https://other.example.com/'],
    ] as const) {
      await forwarders.create({ name, url, fromBeginning: false }, suite.caller);
    }
    const find = async (search: string, by = suite.caller) => {
      const { forwarders: found, totalCount } = await forwarders.list({ page: { first: 10 }, search }, by);
      expect(totalCount).toBe(found.length);
      return found.map(({ name }) => name);
    };
    expect(await find('0%_')).toEqual(['100%_']);
    expect(await find('0__')).toEqual([]);
    expect(await find('SIEM.')).toEqual(['100%_']);
    expect(await find('example.com')).toEqual(['100%_', '100 %']);
    expect([await find('of-it'), await find('https')]).toEqual([[], []]);
    expect(await find('100', suite.stranger)).toEqual([]);
  });
});
