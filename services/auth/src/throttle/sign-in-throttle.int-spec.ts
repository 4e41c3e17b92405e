import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { SignInThrottleService, type Attempt } from './sign-in-throttle.service.js';

const failuresMax = 10;

let server: PostgresServer;
let auth: AuthHarness;
let throttle: SignInThrottleService;

beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  throttle = auth.get(SignInThrottleService);
});

afterAll(async () => {
  await auth.stop();
  await server.stop();
});

beforeEach(() => auth.database.query('delete from auth.sign_in_failure'));

const attempt = (typed: string, ...directories: string[]): Attempt => ({
  ...{ typed, workspace: undefined, clientAddress: undefined, directories },
});

async function fail(failed: Attempt, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await throttle.failed(failed);
}

/** How many more guesses there are at an account. */
async function left(guessed: Attempt): Promise<number> {
  let guesses = 0;
  while (
    await throttle.admit(guessed).then(
      () => true,
      () => false,
    )
  ) {
    await throttle.failed(guessed);
    guesses += 1;
  }
  return guesses;
}

it('sign-ins of one person that end side by side clear nothing of another whom the directory may take for him', async () => {
  const [own, other] = [attempt('ána', 'directory'), attempt('ana', 'directory')];
  await fail(other, 4);
  await fail(own, 5);
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      await throttle.takeBack(own);
      await throttle.succeeded(own);
    }),
  );
  expect(await left(other)).toBe(failuresMax - 4);
});

it('what failed in a window that is over is not taken from the next one', async () => {
  const [own, other] = [attempt('ána'), attempt('ana')];
  await fail(own, 4);
  await auth.database.query('update auth.sign_in_failure set window_ends_at = now()');
  await fail(other, 4);
  await throttle.succeeded(own);
  expect(await left(other)).toBe(failuresMax - 4);
});

it('of several directories, each of which may know another person by one name, a sign-in clears nothing but itself', async () => {
  const own = attempt('ana', 'one', 'two');
  await fail(own, 4);
  await throttle.failed(own);
  await throttle.takeBack(own);
  await throttle.succeeded(own);
  expect(await left(own)).toBe(failuresMax - 4);
});
