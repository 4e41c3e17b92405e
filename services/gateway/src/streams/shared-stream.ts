import { createSourceEventStream, type ExecutionResult } from 'graphql';
import type { ExecutionEvent } from '../events/execution-event.js';
import type {
  Credentials,
  CredentialsHolder,
  RequestContext,
  StreamPace,
  ToldPlace,
} from '../request/request-context.js';
import type { EndTurn } from './connection-room.js';
import { asAppError } from '../errors/format-error.js';
import { interruptionOf, isTokenEnded } from './interruption.js';
import { Payload } from './payload.js';
import type { StreamOperation } from './stream-operation.js';
import type { Subscriber } from './subscriber.js';

const noTurn: EndTurn = () => undefined;
/** Made once, as an abort without a reason makes an error with a stack. */
const over = new Error('the stream is over');

/** At once where nothing is to be waited for. */
export type Rendered = Payload | Promise<Payload>;

/** What a stream needs of where it is. */
export interface StreamSurroundings {
  contextOf(stream: SharedStream, requestId: string, signal: AbortSignal): RequestContext;
  /** The stream that tells the same and is at the same place: another, or this one. */
  meet(stream: SharedStream): SharedStream;
  /** The stream is no longer where it was. */
  forget(stream: SharedStream): void;
  /** For those of equal rights who leave a stream together; without a place they have been told nothing yet. */
  goOn(members: Iterable<Subscriber>, told: ToldPlace | undefined): void;
  render(operation: StreamOperation, event: ExecutionEvent, context: RequestContext): Rendered;
}

/**
 * One source of events and all who are told the same: they have asked for the same with equal rights. Each event is made once, as one
 * text, when the last has been sent. Whoever cannot take it leaves, and goes on alone from where they are; whoever alone has come to
 * where others are joins them. So a slow reader slows nobody else, and nothing is queued for them.
 */
export class SharedStream implements CredentialsHolder, StreamPace {
  private readonly ended = new AbortController();
  readonly context: RequestContext;
  private readonly rights: string | undefined;
  private events: AsyncIterator<ExecutionEvent> | undefined;
  /** Whoever leaves goes on from here: undefined before the first event, unless the events themselves have a beginning. */
  private told: ToldPlace | undefined;
  /** The token that was shown with the question asked last. */
  private tokenShown: string | undefined;
  /** What this stream is to be found by: what is told, to whom and how far; undefined before the first event. */
  key: string | undefined;

  constructor(
    private readonly streams: StreamSurroundings,
    private readonly members: Set<Subscriber>,
    private readonly operation: StreamOperation,
    /** Its subscribers have been told all up to here, the snapshot too. */
    readonly continuesAfter?: ToldPlace | undefined,
  ) {
    this.rights = operation.session.rights;
    this.context = streams.contextOf(this, operation.requestId, this.ended.signal);
    this.told = continuesAfter;
    for (const member of members) member.stream = this;
  }

  /** Of any member: each proves the same rights. Where none does any more, nothing of what is read is told. */
  get credentials(): Credentials {
    const { session } = this.prover?.operation ?? this.operation;
    this.tokenShown = tokenOf(session);
    return session.credentials;
  }

  begunAt(cursor: string): void {
    this.told ??= { cursor };
  }

  part(): void {
    this.partFromOthers(this.told);
    if (this.members.size === 0) void this.close();
  }

  /** Rows are read for one connection when that has a turn; for several, each takes the text or leaves. */
  async turn(): Promise<EndTurn> {
    const room = this.only?.outlet.room;
    if (!room) return noTurn;
    // While it waits nobody is to join, who would wait with it.
    this.streams.forget(this);
    const end = await room.turn(this.ended.signal);
    if (!this.ended.signal.aborted) this.streams.meet(this);
    return end;
  }

  /** Begins; what stands in its way where it cannot. */
  async open(): Promise<ExecutionResult | undefined> {
    const events = await createSourceEventStream({ ...this.operation.args, contextValue: this.context });
    if (!(Symbol.asyncIterator in events)) return events;
    // Every subscription of this schema makes events of this kind.
    this.events = (events as AsyncIterable<ExecutionEvent>)[Symbol.asyncIterator]();
    if (this.ended.signal.aborted) await this.close();
    return undefined;
  }

  /** Tells until all has been told, all have left, or others tell the same. */
  async run(): Promise<void> {
    try {
      if (!this.events && !(await this.reopen())) return;
      await this.tellAll();
    } catch (error) {
      this.fail(error);
    }
    await this.close();
  }

  leave(member: Subscriber): void {
    if (this.members.delete(member) && this.members.size === 0) void this.close();
  }

  /** Takes over those who are at the same place. */
  adopt(members: Iterable<Subscriber>): void {
    for (const member of members) {
      member.stream = this;
      this.members.add(member);
    }
  }

  private get only(): Subscriber | undefined {
    if (this.members.size !== 1) return undefined;
    const [member] = this.members;
    return member;
  }

  private async reopen(): Promise<boolean> {
    await this.only?.outlet.room.whenFree(this.ended.signal);
    const refused = this.ended.signal.aborted ? undefined : await this.open();
    if (refused) throw refused.errors?.[0] ?? new Error('a stream could not go on');
    return this.events !== undefined;
  }

  private async tellAll(): Promise<void> {
    for (;;) {
      const room = this.only?.outlet.room;
      if (room && !room.isFree) await room.whenFree(this.ended.signal);
      if (this.isJoined() || this.ended.signal.aborted || !this.events) return;
      // What was drawn is in no variable of this loop, which would keep it, rows and all, until the next is there.
      const telling = this.take(await this.events.next());
      if (telling instanceof Promise ? !(await telling) : !telling) return;
    }
  }

  /** @returns whether there may be more */
  private take(drawn: IteratorResult<ExecutionEvent>): boolean | Promise<boolean> {
    if (drawn.done) {
      // Nobody is to join any more, who would never hear of the end.
      this.streams.forget(this);
      for (const member of this.members) member.complete();
      return false;
    }
    const event = drawn.value;
    const rendered = this.streams.render(this.operation, event, this.context);
    const tell = (payload: Payload): true => {
      this.tell(event, payload);
      return true;
    };
    return rendered instanceof Payload ? tell(rendered) : rendered.then(tell);
  }

  private tell({ cursor, place, toldVersion }: ExecutionEvent, payload: Payload): void {
    const { told } = this;
    const isAlone = this.members.size === 1;
    this.streams.forget(this);
    this.told = { cursor, version: toldVersion };
    this.key = `${this.rights} ${this.operation.asked} ${place}`;
    this.partFromOthers(told);
    for (const member of this.members) {
      if (isAlone || member.outlet.room.isFree) member.outlet.send(payload);
      else {
        this.members.delete(member);
        this.streams.goOn([member], told);
      }
    }
    if (this.members.size === 0) void this.close();
  }

  /** A member who proves what this stream reads by. */
  private get prover(): Subscriber | undefined {
    for (const member of this.members) if (this.isProver(member)) return member;
    return undefined;
  }

  /** Whose proof has been renewed may prove something else now. */
  private isProver({ operation }: Subscriber): boolean {
    return operation.session.rights === this.rights;
  }

  /** Whoever proves something else now is told nothing of what was read by the old proof, and goes on by the new one. */
  private partFromOthers(told: ToldPlace | undefined): void {
    const others = [...this.members].filter((member) => !this.isProver(member));
    for (const member of others) this.members.delete(member);
    for (const part of Map.groupBy(others, ({ operation }) => operation.session.rights).values()) {
      this.streams.goOn(part, told);
    }
  }

  private fail(error: unknown): void {
    this.partFromOthers(this.told);
    if (isTokenEnded(asAppError(error), this.operation.session)) this.partFromEnded();
    for (const member of this.members) failed(member, error);
  }

  /** Leaves those alone whose token was found to have ended. The others go on by theirs. */
  private partFromEnded(): void {
    const others = [...this.members].filter(({ operation }) => tokenOf(operation.session) !== this.tokenShown);
    for (const member of others) this.members.delete(member);
    this.streams.goOn(others, this.told);
  }

  /** Others are at the same place: they take over, and this stream ends. */
  private isJoined(): boolean {
    if (this.key === undefined || this.members.size === 0) return false;
    const other = this.streams.meet(this);
    if (other === this) return false;
    other.adopt(this.members);
    this.members.clear();
    return true;
  }

  private async close(): Promise<void> {
    this.streams.forget(this);
    this.ended.abort(over);
    await this.events?.return?.();
  }
}

function tokenOf({ credentials }: StreamOperation['session']): string | undefined {
  return credentials.kind === 'good' ? credentials.caller.accessToken : undefined;
}

function failed(member: Subscriber, error: unknown): void {
  const interruption = interruptionOf(error, member.operation);
  if (interruption) member.outlet.interrupt(interruption);
  member.fail(error);
}
