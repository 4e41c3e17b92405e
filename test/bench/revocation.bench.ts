import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { administrator } from '../../deploy/local/administrator.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Access, Installation } from './installation.ts';
import type { Round } from './measure.ts';

const sessions = 20;
const everyMs = 20;
const secondsMax = 30;

interface Session {
  readonly accessToken: string;
}

/** How long what was revoked still works. */
export async function benchRevocation(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const requests: Round[] = [];
  const sockets: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const took: Taken[] = [];
    for (let n = 0; n < Math.ceil(sessions * scale); n += 1) {
      took.push(await revoke(mesh));
      // So that not each of them falls on the same moment between two looks at the revocations.
      await wait(Math.random() * 1_000);
    }
    const slowest = (of: keyof Taken): number => Math.max(...took.map((each) => each[of]));
    requests.push({ ours: slowest('refused'), control: slowest('answered') });
    sockets.push({ ours: slowest('closed'), control: slowest('answered') });
    say(`  round ${round + 1}: requests ${slowest('refused').toFixed(2)} s, sockets ${slowest('closed').toFixed(2)} s`);
  }
  return {
    name: 'A revocation',
    method: `Somebody signs in, has a WebSocket open and asks every ${everyMs} ms by the same access token; then the session is signed out. Seconds from
the sending of that until the first request that is refused, and until the socket is closed: the slowest of ${sessions} sessions, one after
another. The control is the time until signing out is answered, when it is committed.`,
    measures: [
      {
        ...{ name: 'until requests are refused', unit: 's', rounds: requests },
        control: 'until it is answered',
        target: { of: 'ours', atMost: 5 },
      },
      {
        ...{ name: 'until open sockets are closed', unit: 's', rounds: sockets },
        control: 'until it is answered',
        target: { of: 'ours', atMost: 5 },
      },
    ],
  };
}

/** Seconds since the revocation was sent. */
type Taken = Record<'answered' | 'refused' | 'closed', number>;

async function revoke(mesh: Installation): Promise<Taken> {
  const { access } = mesh;
  const { accessToken } = await newSession(mesh);
  const socket = await openSocket(access, accessToken);
  const begun = performance.now();
  const since = (): number => (performance.now() - begun) / 1_000;
  const refusing = untilRefused(access, accessToken).then(since);
  const closed = once(socket, 'close').then(since);
  const { signOut } = await ask<{ signOut: { errors: unknown[] } }>(
    access,
    'mutation { signOut { errors { message } } }',
    {},
    accessToken,
  );
  if (signOut.errors.length > 0) throw new Error(JSON.stringify(signOut.errors));
  const answered = since();
  return { answered, refused: await refusing, closed: await closed };
}

async function newSession(mesh: Installation): Promise<Session> {
  const { access } = mesh;
  const input = { ...administrator, password: mesh.secrets().adminPassword };
  const { signIn } = await ask<{ signIn: Session }>(
    access,
    'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }',
    { input },
  );
  return signIn;
}

async function untilRefused(access: Access, accessToken: string): Promise<void> {
  const end = performance.now() + secondsMax * 1_000;
  while (performance.now() < end) {
    const { viewer } = await ask<{ viewer: object | null }>(access, '{ viewer { id } }', {}, accessToken);
    if (viewer === null) return;
    await wait(everyMs);
  }
  throw new Error(`the token is still good after ${secondsMax} s`);
}

async function openSocket({ websocketUrl }: Access, accessToken: string): Promise<WebSocket> {
  const socket = new WebSocket(websocketUrl, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${accessToken}` } }));
  await once(socket, 'message');
  return socket;
}

async function ask<T>(access: Access, query: string, variables: object, accessToken?: string): Promise<T> {
  const headers = new Headers({ 'content-type': 'application/json' });
  if (accessToken !== undefined) headers.set('authorization', `Bearer ${accessToken}`);
  const response = await fetch(access.graphqlUrl, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, variables }),
  });
  // The shape that the operation asks for; a caller whose token is refused has no data.
  const { data } = (await response.json()) as { data?: T };
  return data ?? ({ viewer: null } as T);
}
