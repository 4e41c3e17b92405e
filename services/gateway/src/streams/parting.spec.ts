import { describe, expect, it } from 'vitest';
import { Client, Gateway, settle, sharing } from '../../test/streams-world.js';
import { World } from '../../test/world.js';
import type { ExecutionEvent } from '../events/execution-event.js';

describe('Streams whose subscribers come to prove something else', () => {
  it('send away the one alone whose token has ended, and read for the others together by theirs', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = await sharing(world, gateway, 20);
    for (const index of [0, 1, 7]) gateway.endedTokens.add(`token-${index}`);
    const reads = world.reads;
    world.runs.doubtAll();
    for (let turn = 0; turn < 10; turn += 1) await settle();
    const sentAway = clients.flatMap(({ session }, index) => (session.authorization.endsWith('+') ? [index] : []));
    // The third is found by its session: no read was made by its token.
    expect(sentAway).toEqual([0, 1]);
    expect(clients.map(({ wrongInterrupts }) => wrongInterrupts)).toEqual(clients.map(() => 0));
    // One read was refused, and with each token less the others began once.
    expect(world.reads - reads).toBe(1);
    world.change('RUNNING', true);
    await settle();
    expect(clients.map(({ told }) => told.at(-1)?.version)).toEqual(clients.map(() => world.version));
    expect(world.runs.size).toBe(1);
  });

  it('read by the proof of one who is there, also where whoever began it has gone and all others prove something else', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = await sharing(world, gateway, 5);
    const [first, ...others] = clients;
    await first?.disconnect();
    gateway.endedTokens.add('token-0');
    for (const { session } of others) session.rights = 'few';
    world.runs.doubtAll();
    await settle();
    world.change('RUNNING', true);
    await settle();
    expect(
      others.map(({ told, wrongInterrupts }) => [told.at(-1)?.version, told.at(-1)?.rights, wrongInterrupts]),
    ).toEqual(others.map(() => [world.version, 'few', 0]));
    expect(world.runs.size).toBe(1);
  });

  it('leave a fault with those whose rights met it: whoever proves something else by then is told what that allows', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = await sharing(world, gateway, 2);
    gateway.hiddenFrom.add('all');
    const [before, renewed] = clients;
    if (renewed) renewed.session.rights = 'more';
    world.runs.doubtAll();
    await settle();
    world.change('RUNNING', true);
    await settle();
    expect([before?.told.at(-1)?.version, renewed?.told.at(-1)?.version]).toEqual([1, 2]);
  });

  it('send nobody away whose token was renewed while the old one was refused, though both are for one key', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = await sharing(world, gateway, 3, 'key');
    gateway.endedTokens.add('key');
    gateway.atRefusal = () => {
      for (const { session } of clients) session.token = 'renewed';
    };
    world.runs.doubtAll();
    await settle();
    world.change('RUNNING', true);
    await settle();
    // One who has come back is told the snapshot again.
    const snapshots = clients.map(({ told }) => told.filter(({ name }) => name === 'ExecutionSnapshot').length);
    expect(snapshots).toEqual([1, 1, 1]);
    expect(clients.map(({ told }) => told.at(-1)?.version)).toEqual([2, 2, 2]);
  });

  it('part before the next look where nothing is told: whoever is renewed to prove something else looks from where the last event was', async () => {
    const looks: string[] = [];
    const next = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
    const gateway = new Gateway(new World(), async function* (pace, rights) {
      pace?.begunAt('place of now');
      for (const { promise } of next) {
        looks.push(`${rights()} from ${pace?.continuesAfter?.cursor ?? 'now'}`);
        await promise;
        pace?.part();
      }
      yield { __typename: 'EventsSkipped', cursor: '1', place: '1', execution: null, reason: '' };
    });
    const client = new Client(1_000);
    await client.connect(gateway);
    await settle();
    client.session.rights = 'few';
    next[0]?.resolve();
    await settle();
    expect(looks.slice(0, 3)).toContain('few from place of now');
    await client.disconnect();
  });

  it('go on from where the events began where none has come yet, when somebody is renewed to prove something else', async () => {
    const began: (string | undefined)[] = [];
    const happens = Promise.withResolvers<ExecutionEvent>();
    const gateway = new Gateway(new World(), async function* (pace) {
      began.push(pace?.continuesAfter?.cursor);
      pace?.begunAt('place of now');
      // Behind a later beginning it would be missed.
      if (began.length === 1 || began.at(-1) === 'place of now') yield await happens.promise;
    });
    const client = new Client(1_000);
    await client.connect(gateway);
    await settle();
    client.session.rights = 'few';
    happens.resolve({ __typename: 'EventsSkipped', cursor: '1', place: '1', execution: null, reason: '' });
    await settle();
    expect(began).toEqual([undefined, 'place of now']);
    expect(client.told).toMatchObject([{ cursor: '1', rights: 'few' }]);
  });
});
