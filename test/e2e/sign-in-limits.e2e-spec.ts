import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserError } from '../support/api-types.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';

const failuresMax = 4;

let started: TestMesh;
let mesh: RunningMesh;

async function start(env: Record<string, string>): Promise<void> {
  started = await TestMesh.start({ env: { SLUICE_AUTH_SIGN_IN_ADDRESS_FAILURES_MAX: String(failuresMax), ...env } });
  mesh = new RunningMesh(started.accessData);
}

async function stop(): Promise<void> {
  await mesh.close();
  await started.stop();
}

/** A wrong password for an address that nobody has, as if it came through a proxy from `client`. */
async function guess(number: number, client: string): Promise<UserError | undefined> {
  const { data } = await mesh.anonymous.send<{ signIn: { errors: UserError[] } }>(
    'mutation ($input: SignInInput!) { signIn(input: $input) { errors { code message path retryable retryAfterSeconds } } }',
    { input: { email: `guess-${number}@example.com`, password: 'wrong' } },
    { 'x-forwarded-for': client },
  );
  return data?.signIn.errors[0];
}

describe('Guessing from one network address, where no proxy is named', () => {
  beforeAll(() => start({}));
  afterAll(stop);

  test('is limited whatever X-Forwarded-For claims: it is not believed', async () => {
    for (let number = 0; number < failuresMax; number += 1) {
      expect(await guess(number, `203.0.113.${number}`)).toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    expect(await guess(99, '203.0.113.99')).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
  });

  test('the answer says how long to wait', async () => {
    const told = await guess(100, '203.0.113.100');
    expect(told).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) });
  });
});

describe('Guessing through a proxy that is named', () => {
  beforeAll(() => start({ SLUICE_GATEWAY_TRUSTED_PROXIES: 'loopback' }));
  afterAll(stop);

  test('is limited for the address behind it, and for no other', async () => {
    for (let number = 0; number < failuresMax; number += 1) await guess(number, '203.0.113.1');
    expect(await guess(98, '203.0.113.1')).toMatchObject({ code: 'RATE_LIMITED' });
    expect(await guess(99, '203.0.113.2')).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('an address that the client itself has put in front of the proxy’s is not believed', async () => {
    for (let number = 200; number < 200 + failuresMax; number += 1)
      await guess(number, `198.51.100.${number}, 203.0.113.3`);
    expect(await guess(299, '198.51.100.99, 203.0.113.3')).toMatchObject({ code: 'RATE_LIMITED' });
  });
});
