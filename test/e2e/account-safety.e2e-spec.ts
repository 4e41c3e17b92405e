import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { newPerson, refresh, signIn, type Person } from '../support/people.js';
import { sharedMesh } from '../support/running-mesh.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let person: Person;
beforeAll(async () => {
  person = await newPerson(mesh.admin, 'viewer');
});

const isSignedIn = async (accessToken: string | null): Promise<boolean> => {
  const { data } = await mesh.anonymous
    .as(`Bearer ${accessToken ?? ''}`)
    .send<{ viewer: { id: string } | null }>('{ viewer { id } }');
  return data?.viewer !== null && data?.viewer !== undefined;
};

describe('FLUSHALL of Redis', () => {
  test('neither brings back what was revoked nor signs anyone out', async () => {
    const [kept, ended] = [await signIn(mesh.anonymous, person), await signIn(mesh.anonymous, person)];
    await mesh.anonymous.as(`Bearer ${ended.accessToken ?? ''}`).request('mutation { signOut { errors { code } } }');
    await until(async () => !(await isSignedIn(ended.accessToken)), { timeoutMs: 5_000 });
    const redis = new Redis(mesh.access.brokerUrl);
    await redis.flushall();
    redis.disconnect();
    // A request that was under way is lost with the stream; the next is answered.
    await until(() => isSignedIn(kept.accessToken).catch(() => false), { timeoutMs: 15_000 });
    expect(await isSignedIn(ended.accessToken)).toBe(false);
    expect((await refresh(mesh.anonymous, ended.refreshToken ?? '')).errors[0]?.code).toBe('UNAUTHENTICATED');
    expect((await refresh(mesh.anonymous, kept.refreshToken ?? '')).errors).toEqual([]);
  });
});

describe('throttling over several gateways', () => {
  test('counts one account’s failures on all of them together', async () => {
    const guessed = await newPerson(mesh.admin, 'viewer');
    const gateways = mesh.access.gateways.map((_, gateway) => mesh.anonymous.at(mesh.address(gateway)));
    const codes: (string | undefined)[] = [];
    for (let guess = 0; guess < 10; guess += 1) {
      const gateway = gateways[guess % gateways.length] ?? mesh.anonymous;
      codes.push((await signIn(gateway, { ...guessed, password: 'wrong' })).errors[0]?.code);
    }
    expect(gateways.length).toBeGreaterThan(1);
    expect(new Set(codes)).toEqual(new Set(['UNAUTHENTICATED']));
    for (const gateway of gateways) {
      const [error] = (await signIn(gateway, guessed)).errors;
      expect(error).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    }
  });
});

describe('tokens, passwords and secrets', () => {
  test('are never in logs', async () => {
    const { accessToken, refreshToken } = await signIn(mesh.anonymous, person);
    const renewed = await refresh(mesh.anonymous, refreshToken ?? '');
    await isSignedIn(renewed.accessToken);
    await mesh.anonymous.as(`Bearer ${renewed.accessToken ?? ''}x`).send('{ viewer { id } }');
    const { createUser } = await mesh.admin.request<{ createUser: { invitationUrl: string } }>(
      `mutation { createUser(input: {email: "logged@example.com", name: "L", roleNames: []}) { invitationUrl } }`,
    );
    const invitation = createUser.invitationUrl.split('=').at(-1) ?? '';
    const secrets = [accessToken, refreshToken, renewed.accessToken, renewed.refreshToken, person.password, invitation];
    const folder = join(mesh.access.directory, 'log');
    const logs = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(logs.some((log) => log.includes('signed in'))).toBe(true);
    for (const secret of secrets) {
      expect(secret?.length ?? 0).toBeGreaterThan(11);
      expect(logs.some((log) => log.includes(secret ?? ''))).toBe(false);
    }
  });

  test('are never in URLs: a token in the query of an address is nobody’s', async () => {
    const { accessToken } = await signIn(mesh.anonymous, person);
    for (const name of ['access_token', 'token', 'authorization']) {
      const url = `${mesh.address(0).url}?${name}=${accessToken ?? ''}`;
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ viewer { id } }' }),
      });
      expect(await response.json()).toMatchObject({ data: { viewer: null } });
    }
  });
});
