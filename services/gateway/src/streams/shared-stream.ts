import { createSourceEventStream, type ExecutionResult } from 'graphql';
import type { ExecutionEvent } from '../events/execution-event.js';
import type { Credentials, CredentialsHolder, RequestContext, StreamPace } from '../request/request-context.js';
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
  /** For those of equal rights who leave a stream together; with no cursor they have been told nothing yet. */
  goOn(members: ReadonlySet<Subscriber>, cursor: string | undefined): void;
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
  /** The cursor of what was told last. */
  private cursor: string | undefined;
  /** What this stream is to be found by: what is told, to whom and how far; undefined before the first event. */
  key: string | undefined;

  constructor(
    private readonly streams: StreamSurroundings,
    private readonly members: Set<Subscriber>,
    private readonly operation: StreamOperation,
    /** Its subscribers have been told all up to here, the snapshot too. */
    readonly continuesAfter?: string | undefined,
  ) {
    this.rights = operation.session.rights;
    this.context = streams.contextOf(this, operation.requestId, this.ended.signal);
    this.cursor = continuesAfter;
    for (const member of members) member.stream = this;
  }

  /** Of any member: each proves the same rights. Where none does any more, nothing of what is read is told. */
  get credentials(): Credentials {
    for (const { operation } of this.members) if (this.mayTell(operation)) return operation.session.credentials;
    return this.operation.session.credentials;
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
      if (!this.hasParted(error)) for (const member of this.members) failed(member, error);
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

  private tell({ cursor, place }: ExecutionEvent, payload: Payload): void {
    const from = this.cursor;
    this.streams.forget(this);
    this.cursor = cursor;
    this.key = `${this.rights} ${this.operation.asked} ${place}`;
    const isAlone = this.members.size === 1;
    for (const member of this.members) {
      const hasRoom = isAlone || from === undefined || member.outlet.room.isFree;
      if (hasRoom && this.mayTell(member.operation)) member.outlet.send(payload);
      else {
        this.members.delete(member);
        this.streams.goOn(new Set([member]), from);
      }
    }
    if (this.members.size === 0) void this.close();
  }

  /** Whose proof has been renewed and proves something else now is told nothing that was read by the old. */
  private mayTell({ session }: StreamOperation): boolean {
    return session.rights === this.rights;
  }

  /** The token of one member has ended: whose it was, those who came with each find for themselves. */
  private hasParted(error: unknown): boolean {
    if (!isTokenEnded(asAppError(error), this.operation.session)) return false;
    const parts = Map.groupBy(this.members, ({ operation }) => operation.session.authorization);
    if (parts.size < 2) return false;
    this.members.clear();
    for (const part of parts.values()) this.streams.goOn(new Set(part), this.cursor);
    return true;
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

function failed(member: Subscriber, error: unknown): void {
  const interruption = interruptionOf(error, member.operation);
  if (interruption) member.outlet.interrupt(interruption);
  member.fail(error);
}
