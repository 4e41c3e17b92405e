import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { buildSchema, parse, type GraphQLSchema } from 'graphql';
import type { BusClient } from '#libs/bus';
import { AppError } from '#libs/kernel';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import type { ExecutionEvent } from '../src/events/execution-event.js';
import type { RequestContext } from '../src/request/request-context.js';
import type { Session } from '../src/sessions/session.js';
import { ConnectionRoom } from '../src/streams/connection-room.js';
import type { Payload } from '../src/streams/payload.js';
import type { ResultFormat } from '../src/streams/result-format.js';
import { StreamsService } from '../src/streams/streams.service.js';
import { Subscriber } from '../src/streams/subscriber.js';
import type { World } from './world.js';

export interface Told {
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
export class Gateway {
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
export class Client {
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

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

/** Clients of one gateway who have come to share a stream; each has a token of its own unless one is named. */
export async function sharing(
  world: World,
  gateway: Gateway,
  count: number,
  authorization?: string,
): Promise<Client[]> {
  const clients = Array.from({ length: count }, (_, index) => new Client(1_000, authorization ?? `token-${index}`));
  for (const client of clients) await client.connect(gateway);
  await settle();
  if (world.runs.size !== 1) throw new Error(`${world.runs.size} streams are not one`);
  return clients;
}
