import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { authRequests, metadataRequests } from '#libs/contracts';
import { MasterKeys, newDataKey, wrapDataKey } from '#libs/encryption';
import { AppError, newId } from '#libs/kernel';
import { FakeClock } from '#libs/testing';
import { FakeBus } from '../../test/fake-bus.js';
import { newPrincipal, newSource } from '../../test/orchestrator-harness.js';
import { MetadataClient } from '../source/metadata.client.js';
import { AuthClient } from '../plan/auth.client.js';
import { CallerMemory } from './caller.memory.js';
import { DataKeys } from './data-keys.js';
import { MaskKeys } from './mask-keys.js';
import { PolicyService } from './policy.service.js';

const [oldKey, newKey] = ['k1', 'k2'].map((id) => `${id}:${randomBytes(32).toString('base64')}`);
const masterKeys = MasterKeys.parse(oldKey ?? '');
const principal = newPrincipal();
const { workspaceId } = principal;
const signal = new AbortController().signal;

let bus: FakeBus;
let auth: AuthClient;
let attributes: { region: string };
beforeEach(() => {
  bus = new FakeBus();
  auth = new AuthClient(bus.asClient());
  attributes = { region: 'north' };
  bus.answer(authRequests.getViewer, () => ({
    ...{ id: principal.userId, permissions: [], attributes },
    user: {
      ...{ id: principal.userId, name: 'Ann', email: 'ann@example.com', roleNames: [], groupNames: [] },
      ...{ privateReadable: true, disabled: false, version: 1, createdAt: new Date() },
    },
  }));
});

const maskKeys = (text = '') => new MaskKeys(new DataKeys(auth, { masks: { masterKeys: text } }));

const contextWith = (token: string): MessageContext => ({
  workspaceId,
  actor: { case: 'accessToken', value: token },
  requestId: newId('request'),
});

describe('what is known of a caller', () => {
  it('is asked once for a token, and anew for another: a change of attributes makes the older ones bad', async () => {
    const callers = new CallerMemory(auth);
    const regionWith = async (token: string) =>
      (await callers.get(principal, contextWith(token), signal))?.attributes['region'];
    expect(await regionWith('one')).toEqual({ type: 'text', value: 'north' });
    attributes = { region: 'south' };
    expect(await regionWith('one')).toEqual({ type: 'text', value: 'north' });
    expect(await regionWith('two')).toEqual({ type: 'text', value: 'south' });
    expect(bus.countOf(authRequests.getViewer)).toBe(2);
  });

  it('is nothing where there is nobody of that id, and a failure is one: nobody is let through by it', async () => {
    const callers = new CallerMemory(auth);
    bus.answer(authRequests.getViewer, () => {
      throw new AppError('auth.user_not_found', 'There is no such user.');
    });
    expect(await callers.get(principal, contextWith('one'), signal)).toBeUndefined();
    bus.answer(authRequests.getViewer, () => {
      throw new AppError('bus.timeout', 'No answer.');
    });
    await expect(callers.get(principal, contextWith('one'), signal)).rejects.toThrow('No answer.');
  });
});

describe('the key of HASH masks', () => {
  it('is one for a workspace, stays when the master key changes, and is not the data key', async () => {
    const dataKey = newDataKey(masterKeys, workspaceId);
    const ring = MasterKeys.parse(`${newKey},${oldKey}`);
    bus.answer(authRequests.getDataKey, () => dataKey);
    const before = await maskKeys(oldKey).get(workspaceId);
    bus.answer(authRequests.getDataKey, () => wrapDataKey(dataKey.key, ring, workspaceId));
    expect(await maskKeys(`${newKey},${oldKey}`).get(workspaceId)).toBe(before);
    expect(before).not.toContain(Buffer.from(dataKey.key).toString('base64url'));
    bus.answer(authRequests.getDataKey, (input) => newDataKey(masterKeys, input.workspaceId));
    const other = newId('workspace');
    expect(await maskKeys(oldKey).get(other)).not.toBe(before);
  });
});

describe('the policies of a source', () => {
  const source = newSource(workspaceId);
  const clock = new FakeClock();
  const newService = () =>
    new PolicyService(new MetadataClient(bus.asClient()), new CallerMemory(auth), maskKeys(oldKey), clock);
  const of = (service: PolicyService, policiesFingerprint: string | undefined) =>
    service.of({ source, policiesFingerprint }, principal, contextWith('one'), signal);

  it('are not asked for where there are none', async () => {
    expect(await of(newService(), undefined)).toBeUndefined();
    expect(bus.requests).toEqual([]);
  });

  it('are asked for once while their fingerprint stands, and a failure refuses and is not remembered', async () => {
    const service = newService();
    await expect(of(service, 'f1')).rejects.toThrow('No answer.');
    const policy = {
      ...{ id: newId('rowPolicy'), name: 'p', dataSourceId: source.id, predicate: 'region = {{ user.region }}' },
      ...{ groupNames: [], exemptGroupNames: [], masks: [], enabled: true, version: 1 },
    };
    bus.answer(metadataRequests.getSourcePolicies, () => ({
      rowPolicies: [policy],
      tables: [{ schema: 'public', name: 'sales', columns: [{ name: 'region', sourceType: 'text' }] }],
      searchPath: ['public'],
      fingerprint: 'f1',
    }));
    const asked = bus.countOf(metadataRequests.getSourcePolicies);
    const [one, two] = await Promise.all([of(service, 'f1'), of(service, 'f1')]);
    expect(one?.policies).toBe(two?.policies);
    expect((await of(service, 'f1'))?.policies).toBe(one?.policies);
    expect((await of(service, 'f2'))?.policies).not.toBe(one?.policies);
    expect(bus.countOf(metadataRequests.getSourcePolicies) - asked).toBe(2);
    const compiled = await one?.policies.compile({ sql: 'select * from sales', caller: one.caller });
    expect(compiled?.policyIds).toEqual([policy.id]);
    expect(compiled?.values).toEqual([{ type: 'text', value: 'north' }]);
  });

  it('are not kept under a fingerprint that they have no longer, which may come back without them', async () => {
    const service = newService();
    const answer = (predicate: string, fingerprint: string): void => {
      const base = { id: newId('rowPolicy'), name: 'p', dataSourceId: source.id, groupNames: [], exemptGroupNames: [] };
      bus.answer(metadataRequests.getSourcePolicies, () => ({
        rowPolicies: [{ ...base, masks: [], enabled: true, version: 1, table: { name: 'sales' }, predicate }],
        tables: [{ schema: 'public', name: 'sales', columns: [{ name: 'region', sourceType: 'text' }] }],
        searchPath: ['public'],
        fingerprint,
      }));
    };
    const sqlOf = async (): Promise<string | undefined> => {
      const governing = await of(service, 'f1');
      return (await governing?.policies.compile({ sql: 'select * from sales', caller: governing.caller }))?.sql;
    };
    // Widened between the question's revision and its policies, and taken back.
    answer('true', 'f2');
    expect(await sqlOf()).not.toContain("region = 'north'");
    answer("region = 'north'", 'f1');
    expect(await sqlOf()).toContain("region = 'north'");
  });

  it('are asked for anew after five minutes, though their fingerprint stands', async () => {
    const service = newService();
    bus.answer(metadataRequests.getSourcePolicies, () => ({
      rowPolicies: [],
      tables: [],
      searchPath: ['public'],
      fingerprint: 'f1',
    }));
    const asked = (): number => bus.countOf(metadataRequests.getSourcePolicies);
    await of(service, 'f1');
    clock.advance(5 * 60_000 - 1);
    await of(service, 'f1');
    expect(asked()).toBe(1);
    clock.advance(2);
    await of(service, 'f1');
    expect(asked()).toBe(2);
  });
});
