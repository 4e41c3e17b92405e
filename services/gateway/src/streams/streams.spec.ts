import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Client, Gateway, settle, type Told } from '../../test/streams-world.js';
import { finalStates, World } from '../../test/world.js';

/** The version of the state that was told last as a state. */
function stateTold(told: readonly Told[]): number | undefined {
  return told.findLast(({ name }) => name === 'ExecutionSnapshot' || name === 'ExecutionStateChanged')?.version;
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), count: fc.integer({ min: 1, max: 8 }), isHeard: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('run' as const, 'trimmed' as const, 'death' as const), isHeard: fc.boolean() }),
  fc.record({ kind: fc.constant('canceling' as const) }),
  fc.record({
    kind: fc.constantFrom('read' as const, 'leave' as const, 'rights' as const, 'token' as const),
    who: fc.nat({ max: 3 }),
  }),
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function play(world: World, gateways: Gateway[], clients: readonly Client[], steps: readonly Step[]) {
  for (const one of steps) {
    if (one.kind === 'rows' && world.state === 'RUNNING') world.commitRows(one.count, one.isHeard);
    if (one.kind === 'run' && world.state === 'QUEUED') world.change('RUNNING', one.isHeard);
    if (one.kind === 'trimmed') world.runs.doubtAll();
    if (one.kind === 'death') {
      // All of one gateway's clients come back at the other.
      gateways.reverse();
      for (const client of clients) await client.disconnect();
      for (const client of clients) if (!client.isComplete) await client.connect(gateways[0] as Gateway);
    }
    if (one.kind === 'read') clients[one.who]?.read();
    if (one.kind === 'rights') {
      const session = clients[one.who]?.session;
      if (session) session.rights = session.rights === 'all' ? 'few' : 'all';
    }
    if (one.kind === 'token') {
      const client = clients[one.who];
      for (const gateway of gateways) gateway.endedTokens.add(client?.session.authorization ?? '');
    }
    if (one.kind === 'canceling') {
      const [gateway] = gateways;
      if (gateway) gateway.atNextTurn = () => world.state === 'RUNNING' && world.change('CANCELING', true);
    }
    if (one.kind === 'leave') {
      const client = clients[one.who];
      await client?.disconnect();
      if (client && !client.isComplete) await client.connect(gateways[0] as Gateway);
    }
    world.clock.advance(100);
    await settle();
  }
}

describe('Streams that subscribers share', () => {
  it('tell each of them every row once and in order and the latest state last, by their own rights, however slow they are and however often they, their tokens, their rights or gateways go', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(...finalStates),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 4, maxLength: 4 }),
        fc.array(step, { maxLength: 10 }),
        async (steps, end, stuckFrom, stepsBehind) => {
          const world = new World();
          const gateways = [new Gateway(world), new Gateway(world)];
          const clients = stuckFrom.map((from, index) => new Client(from, `token-${index}`));
          for (const client of clients) await client.connect(gateways[0] as Gateway);
          await play(world, gateways, clients, steps);
          world.reconcile();
          for (let turn = 0; turn < 100; turn += 1) {
            for (const client of clients) client.read();
            await settle();
          }
          for (const { told } of clients) expect(stateTold(told)).toBe(world.version);
          world.change(end, false);
          world.reconcile();
          await play(world, gateways, clients, stepsBehind);
          for (let turn = 0; turn < 300 && clients.some(({ isComplete }) => !isComplete); turn += 1) {
            for (const client of clients) client.read();
            await settle();
          }
          for (const { told, isComplete, wrongBegins, wrongRights, wrongInterrupts } of clients) {
            const wrong = wrongBegins + wrongRights + wrongInterrupts;
            expect({ isComplete, wrong }).toEqual({ isComplete: true, wrong: 0 });
            expect(told.flatMap(({ rows }) => rows)).toEqual(Array.from({ length: world.rows }, (_, index) => index));
            expect(told.at(-1)).toMatchObject({ name: 'ExecutionStateChanged', version: world.version });
            const versions = told.map(({ version }) => version);
            expect(versions).toEqual([...versions].sort((one, other) => one - other));
          }
          await settle();
          expect(world.runs.size).toBe(0);
        },
      ),
      { numRuns: Number(process.env['SLUICE_FUZZ_CASES'] ?? 200) },
    );
  });

  it('make an event once for all who are at the same place, and read for nobody twice', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = Array.from({ length: 20 }, () => new Client(1_000));
    for (const client of clients) await client.connect(gateway);
    await settle();
    expect(world.runs.size).toBe(1);
    world.change('RUNNING', true);
    await settle();
    expect(clients.every(({ told }) => told.length === 2)).toBe(true);
    for (const client of clients) await client.disconnect();
    await settle();
    expect(world.runs.size).toBe(0);
  });

  it('go on for the others while one does not read, who catches up and joins them again', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const [slow, ...others] = [new Client(2), ...Array.from({ length: 3 }, () => new Client(1_000))];
    for (const client of [slow, ...others]) await client.connect(gateway);
    world.change('RUNNING', true);
    await settle();
    for (let count = 0; count < 5; count += 1) {
      world.commitRows(2, true);
      await settle();
    }
    expect(others.every(({ told }) => told.flatMap(({ rows }) => rows).length === 10)).toBe(true);
    expect(slow?.told).toHaveLength(2);
    for (let count = 0; count < 20; count += 1) {
      slow?.read();
      await settle();
    }
    expect(slow?.told.flatMap(({ rows }) => rows)).toHaveLength(10);
    world.change('SUCCEEDED', true);
    await settle();
    expect(others.every(({ isComplete }) => isComplete)).toBe(true);
  });
});
