import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { buildSchema, parse, type GraphQLSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { BusClient } from '#libs/bus';
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

/** Of a session, who it is of; a test has no other proof than the rights themselves. */
interface SessionOf {
  rights: string;
  authorization: string;
  readonly credentials: unknown;
}

const rightsNow = (context: RequestContext): string => context.caller.accessToken;

const document = parse('subscription ($after: String) { told(after: $after) { name cursor version rows rights } }');

/** One gateway's streams over a world; what is told are events with their rows. */
class Gateway {
  readonly streams: StreamsService;
  private readonly schema: GraphQLSchema;

  constructor(world: World) {
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
      const from = pace?.continuesAfter ?? after ?? undefined;
      const [version = 0, nextRow = 0] = from === undefined ? [] : from.split(' ').map(Number);
      const toldVersion = pace?.continuesAfter === undefined ? undefined : version;
      return world.subscribe({
        includeRows: true,
        nextRow,
        toldVersion,
        turn: () => pace?.turn() ?? Promise.resolve(() => undefined),
      });
    };
    field.resolve = (event: ExecutionEvent, _args: unknown, context: RequestContext) => ({
      name: event.__typename,
      cursor: event.cursor,
      version: event.execution?.version,
      rights: rightsNow(context),
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
  readonly session: SessionOf;
  /** Events that were made by other rights than its own. */
  wrongRights = 0;
  private connection = 0;
  private isFirst = true;
  private subscriber: Subscriber | undefined;

  constructor(
    private readonly isStuckFrom: number,
    authorization = 'one',
  ) {
    this.session = {
      ...{ rights: 'all', authorization },
      get credentials() {
        return { kind: 'good', caller: { accessToken: this.rights } };
      },
    };
  }

  async connect(gateway: Gateway): Promise<void> {
    this.connection += 1;
    this.isFirst = true;
    const { connection } = this;
    const subscriber = await gateway.subscribe(this, this.told.at(-1)?.cursor);
    this.subscriber = subscriber;
    void this.awaitEnd(subscriber, connection);
  }

  private async awaitEnd(subscriber: Subscriber, connection: number): Promise<void> {
    await subscriber.next();
    if (connection === this.connection) this.isComplete = true;
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

  interrupt(): void {
    throw new Error('nothing passing is in the way here');
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), count: fc.integer({ min: 1, max: 8 }), isHeard: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('run' as const, 'trimmed' as const, 'death' as const), isHeard: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('read' as const, 'leave' as const, 'rights' as const), who: fc.nat({ max: 3 }) }),
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
  it('tell each of them every row once and in order and the latest state last, by their own rights, however slow they are and however often they, their rights or gateways go', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(...finalStates),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 4, maxLength: 4 }),
        fc.array(step, { maxLength: 10 }),
        async (steps, end, stuckFrom, stepsBehind) => {
          const world = new World();
          const gateways = [new Gateway(world), new Gateway(world)];
          const clients = stuckFrom.map((from) => new Client(from));
          for (const client of clients) await client.connect(gateways[0] as Gateway);
          await play(world, gateways, clients, steps);
          world.change(end, false);
          world.reconcile();
          await play(world, gateways, clients, stepsBehind);
          for (let turn = 0; turn < 300 && clients.some(({ isComplete }) => !isComplete); turn += 1) {
            for (const client of clients) client.read();
            await settle();
          }
          for (const { told, isComplete, wrongBegins, wrongRights } of clients) {
            expect({ isComplete, wrongBegins, wrongRights }).toEqual({
              isComplete: true,
              wrongBegins: 0,
              wrongRights: 0,
            });
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
