import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { buildSchema, parse, type GraphQLSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { BusClient } from '#libs/bus';
import { AppError } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { finalStates, World } from '../../test/world.js';
import type { ExecutionEvent } from '../events/execution-event.js';
import type { RequestContext } from '../request/request-context.js';
import type { Session } from '../sessions/session.js';
import { ConnectionRoom } from './connection-room.js';
import type { Payload } from './payload.js';
import type { ResultFormat } from './result-format.js';
import { StreamsService } from './streams.service.js';
import { Subscriber } from './subscriber.js';

interface Told {
  name: string;
  cursor: string;
  version: number;
  rows: number[];
  /** Those by which it was made. */
  rights: string;
}

/** Of a session, who it is of; what a test shows says its rights too. */
interface SessionOf {
  rights: string;
  readonly authorization: string;
  /** What the authorization was exchanged for. */
  token: string;
  readonly credentials: unknown;
}

const newSession = (rights: string, authorization: string): SessionOf => ({
  ...{ rights, authorization, token: authorization },
  get credentials() {
    return { kind: 'good', caller: { accessToken: `${this.rights} ${this.token}` } };
  },
});

const shownNow = ({ caller }: RequestContext): string[] => caller.accessToken.split(' ');

const document = parse('subscription ($after: String) { told(after: $after) { name cursor version rows rights } }');

/** One gateway's streams over a world; what is told are events with their rows. */
class Gateway {
  readonly streams: StreamsService;
  readonly endedTokens = new Set<string>();
  /** By these rights there is nothing to be seen. */
  readonly hiddenFrom = new Set<string>();
  /** What happens while a refusal is on its way. */
  atRefusal: (() => void) | undefined;
  /** What happens while somebody waits for the turn to read rows. */
  atNextTurn: (() => void) | undefined;
  private readonly schema: GraphQLSchema;

  constructor(
    world: World,
    eventsOf?: (pace: RequestContext['pace'], rights: () => string) => AsyncGenerator<ExecutionEvent, void, undefined>,
  ) {
    const logger = AppLogger.create({ service: 'gateway', instance: 'gateway', level: 'silent' });
    const format = { result: (_: unknown, result: unknown) => result } as unknown as ResultFormat;
    // Nothing here asks a service: the world answers.
    this.streams = new StreamsService({} as BusClient, format, logger, new MetricsRegistry('gateway'));
    this.schema = buildSchema(
      'type Query { a: Int } type Told { name: String cursor: String version: Int rows: [Int!] rights: String } type Subscription { told(after: String): Told }',
    );
    const field = this.schema.getSubscriptionType()?.getFields()['told'];
    if (!field) throw new Error('the schema has no such field');
    field.subscribe = (_root: unknown, { after }: { after?: string }, context: RequestContext) => {
      const { pace } = context;
      if (eventsOf) return eventsOf(pace, () => shownNow(context)[0] ?? '');
      const from = pace?.continuesAfter?.cursor ?? after ?? undefined;
      const [version = 0, nextRow = 0] = from === undefined ? [] : from.split(' ').map(Number);
      const prove = (): void => {
        const [rights = '', token = ''] = shownNow(context);
        if (this.endedTokens.has(token)) {
          this.atRefusal?.();
          throw new AppError('auth.token_expired', 'The access token has ended.');
        }
        if (this.hiddenFrom.has(rights)) throw new AppError('run.not_found', 'There is no such execution.');
      };
      prove();
      return world.subscribe({
        includeRows: true,
        nextRow,
        toldVersion: pace?.continuesAfter && (pace.continuesAfter.version ?? version),
        prove,
        turn: async () => {
          const end = await pace?.turn();
          this.atNextTurn?.();
          this.atNextTurn = undefined;
          return end ?? (() => undefined);
        },
      });
    };
    field.resolve = (event: ExecutionEvent, _args: unknown, context: RequestContext) => ({
      name: event.__typename,
      cursor: event.cursor,
      version: event.execution?.version,
      rights: shownNow(context)[0],
      rows:
        event.__typename === 'RowsAppended' ? event.page.rows.map(({ text }) => (JSON.parse(text) as [number])[0]) : [],
    });
  }

  async subscribe(client: Client, after: string | undefined): Promise<Subscriber> {
    const result = await this.streams.subscribe(
      {
        args: { schema: this.schema, document, variableValues: { after } },
        session: client.session as unknown as Session,
        requestId: 'request',
        transport: 'websocket',
        labels: { type: 'subscription', field: 'told' },
        cost: { fields: 1, depth: 1 },
        asked: 'all',
      },
      client,
    );
    if (!(result instanceof Subscriber)) throw new Error(JSON.stringify(result));
    return result;
  }
}

/** A client with a socket that a test fills and empties, which comes back with its last cursor. */
class Client {
  readonly told: Told[] = [];
  /** How many connections have begun with something else than a snapshot, or had two. */
  wrongBegins = 0;
  isComplete = false;
  readonly socket = Object.assign(new EventEmitter(), { writableLength: 0, destroyed: false });
  room = new ConnectionRoom(this.socket as unknown as Socket, 10);
  session: SessionOf;
  /** Events that were made by other rights than its own. */
  wrongRights = 0;
  /** How often it was sent away with a token that was good. */
  wrongInterrupts = 0;
  private connection = 0;
  private isFirst = true;
  private subscriber: Subscriber | undefined;
  private gateway: Gateway | undefined;

  constructor(
    private readonly isStuckFrom: number,
    authorization = 'one',
  ) {
    this.session = newSession('all', authorization);
  }

  async connect(gateway: Gateway): Promise<void> {
    this.connection += 1;
    this.isFirst = true;
    this.gateway = gateway;
    const { connection } = this;
    const { rights, authorization } = this.session;
    // It comes with a token that is good, on a session of its own.
    this.session = newSession(rights, gateway.endedTokens.has(authorization) ? `${authorization}+` : authorization);
    const subscriber = await gateway.subscribe(this, this.told.at(-1)?.cursor);
    this.subscriber = subscriber;
    void this.awaitEnd(subscriber, connection);
  }

  private async awaitEnd(subscriber: Subscriber, connection: number): Promise<void> {
    const isComplete = await subscriber.next().then(
      () => true,
      () => false,
    );
    if (isComplete && connection === this.connection) this.isComplete = true;
  }

  async disconnect(): Promise<void> {
    this.connection += 1;
    await this.subscriber?.return();
  }

  send({ text }: Payload): void {
    const { data } = JSON.parse(text) as { data: { told: Told } };
    if (this.isFirst !== (data.told.name === 'ExecutionSnapshot')) this.wrongBegins += 1;
    this.isFirst = false;
    if (data.told.rights !== this.session.rights) this.wrongRights += 1;
    this.told.push(data.told);
    // A slow one has its buffer filled by a few events.
    if (this.told.length % this.isStuckFrom === 0) this.socket.writableLength = 10;
  }

  read(): void {
    this.socket.writableLength = 0;
    this.socket.emit('drain');
  }

  /** Its token has ended: it comes back with another. */
  interrupt(): void {
    const { gateway } = this;
    if (!gateway?.endedTokens.has(this.session.authorization)) this.wrongInterrupts += 1;
    void this.disconnect().then(async () => gateway && this.connect(gateway));
  }
}

/** The version of the state that was told last as a state. */
function stateTold(told: readonly Told[]): number | undefined {
  return told.findLast(({ name }) => name === 'ExecutionSnapshot' || name === 'ExecutionStateChanged')?.version;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
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

  it('send away the one alone whose token has ended, and read for the others together by theirs', async () => {
    const world = new World();
    const gateway = new Gateway(world);
    const clients = Array.from({ length: 20 }, (_, index) => new Client(1_000, `token-${index}`));
    for (const client of clients) await client.connect(gateway);
    await settle();
    expect(world.runs.size).toBe(1);
    for (const index of [0, 1, 7]) gateway.endedTokens.add(`token-${index}`);
    const reads = world.reads;
    world.runs.doubtAll();
    for (let turn = 0; turn < 10; turn += 1) await settle();
    const sentAway = clients.flatMap(({ session }, index) => (session.authorization.endsWith('+') ? [index] : []));
    // The seventh is found by its session: no read was made by its token.
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
    const clients = Array.from({ length: 5 }, (_, index) => new Client(1_000, `token-${index}`));
    for (const client of clients) await client.connect(gateway);
    await settle();
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
    const clients = Array.from({ length: 2 }, (_, index) => new Client(1_000, `token-${index}`));
    for (const client of clients) await client.connect(gateway);
    await settle();
    expect(world.runs.size).toBe(1);
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
    const clients = Array.from({ length: 3 }, () => new Client(1_000, 'key'));
    for (const client of clients) await client.connect(gateway);
    await settle();
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
