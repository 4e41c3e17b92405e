import { randomUUID } from 'node:crypto';
import { Api } from './api.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { residentMb } from './process-memory.ts';

const people = 10_000;
const atOnce = 16;
const membersAtOnce = 1_000;
const sampleMs = 200;

interface Sync {
  readonly perUserMs: number;
  readonly growthMb: number;
}

/** A first sync of a large company: users, and one group of all of them. */
export async function benchScim(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  try {
    const users: Round[] = [];
    const members: Round[] = [];
    const memory: Round[] = [];
    const count = Math.max(membersAtOnce, people * scale);
    await syncBySchema(mesh, api, 200);
    for (let round = 0; round < rounds; round += 1) {
      const control = await syncBySchema(mesh, api, count / 10);
      const tag = randomUUID().slice(0, 8);
      const ids: string[] = [];
      const ours = await measured(mesh, count, async (index) => {
        const userName = `${tag}-${index}@example.com`;
        const { id } = await ask(mesh, 'POST', 'Users', { userName, displayName: `Person ${index}`, active: true });
        ids.push(String(id));
      });
      users.push({ ours: ours.perUserMs, control: control.perUserMs });
      memory.push({ ours: ours.growthMb, control: control.growthMb });
      members.push(await fillGroups(mesh, tag, ids));
      say(
        `  round ${round + 1}: ${(1_000 / ours.perUserMs).toFixed(0)} users/s, memory +${ours.growthMb.toFixed(0)} MB`,
      );
    }
    return {
      name: 'A sync by SCIM',
      method: `${people} users are made by POST /scim/v2/Users, ${atOnce} requests at once, and put into one group, ${membersAtOnce} by each
PATCH. The control makes a tenth as many by the mutation createUser, also without passwords. Memory is how far gateway and auth
grow together, at the highest of samples every ${sampleMs} ms.`,
      measures: [
        { name: 'one user', unit: 'ms', control: 'createUser', rounds: users, target: { of: 'ratio', atMost: 1.5 } },
        {
          name: 'growth of gateway and auth',
          unit: 'MB',
          control: 'createUser',
          rounds: memory,
          target: { of: 'ours', atMost: 100 },
        },
        {
          name: 'one member, the last thousand',
          unit: 'ms',
          control: 'the first thousand',
          rounds: members,
          target: { of: 'ratio', atMost: 2 },
        },
      ],
    };
  } finally {
    await api.close();
  }
}

function syncBySchema(mesh: Installation, api: Api, count: number): Promise<Sync> {
  const tag = randomUUID().slice(0, 8);
  return measured(mesh, count, async (index) => {
    const input = { email: `${tag}-${index}@example.com`, name: `Person ${index}`, roleNames: ['viewer'] };
    const { createUser } = await api.request<{ createUser: { errors: unknown[] } }>(
      'mutation ($input: CreateUserInput!) { createUser(input: $input) { errors { message } } }',
      { input },
    );
    if (createUser.errors.length > 0) throw new Error(JSON.stringify(createUser.errors));
  });
}

/** @returns what each of the last thousand members cost, and of the first */
async function fillGroups(mesh: Installation, tag: string, ids: readonly string[]): Promise<Round> {
  const { id } = await ask(mesh, 'POST', 'Groups', { displayName: `Everybody ${tag}` });
  const took: number[] = [];
  for (let from = 0; from < ids.length; from += membersAtOnce) {
    const value = ids.slice(from, from + membersAtOnce).map((userId) => ({ value: userId }));
    const begun = performance.now();
    await ask(mesh, 'PATCH', `Groups/${String(id)}`, {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
      Operations: [{ op: 'add', path: 'members', value }],
    });
    took.push((performance.now() - begun) / value.length);
  }
  return { ours: took.at(-1) ?? 0, control: took[0] ?? 0 };
}

async function measured(mesh: Installation, count: number, make: (index: number) => Promise<void>): Promise<Sync> {
  const memory = (): number => residentMb(mesh.pidOf('gateway')) + residentMb(mesh.pidOf('auth'));
  const before = memory();
  let highest = before;
  const timer = setInterval(() => (highest = Math.max(highest, memory())), sampleMs);
  const begun = performance.now();
  let next = 0;
  try {
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (next < count) {
          next += 1;
          await make(next);
        }
      }),
    );
  } finally {
    clearInterval(timer);
  }
  return { perUserMs: (performance.now() - begun) / count, growthMb: Math.max(highest, memory()) - before };
}

async function ask(mesh: Installation, method: string, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(`/scim/v2/${path}`, mesh.access.graphqlUrl), {
    method,
    headers: { authorization: `Bearer ${mesh.access.apiKey}`, 'content-type': 'application/scim+json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  // Every answer of SCIM is an object.
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
