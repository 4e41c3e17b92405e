/**
 * What is written down while something is broken: one line of JSON for each thing that a client did or was told, or that an
 * observer saw. As in Jepsen's histories an operation is invoked and then is ok, fails (it surely was not done) or remains
 * unknown (`info`); the checker sees these lines alone.
 */
export type Operation = { atMs: number; process: string } & (
  Submit | Cancel | Subscribe | Told | Finished | Change | Saved | Seen | Statements | Outage
);

/** One question; after `info` it is sent again with the same key. */
type Submit =
  | { f: 'submit'; type: 'invoke'; key: string; caller: string; question: Question }
  | { f: 'submit'; type: 'ok'; key: string; execution: string; isHit: boolean }
  | { f: 'submit'; type: 'fail'; key: string; error: string }
  /** `isTold`: a client's error. Without it the client has only been kept waiting, such as by a gateway that does not listen. */
  | { f: 'submit'; type: 'info'; key: string; error: string; isTold: boolean };

export interface Question {
  kind: string;
  /** Is in the statement, so that it can be found at the source; '' where several questions share one. */
  mark: string;
  /** How many rows there are to be told in the end. */
  rows?: number;
  isCanceled?: boolean;
  /** Asked without an idempotency key: if it is answered from the cache, a crash of PostgreSQL may take its record. */
  isRelaxed?: boolean;
}

type Cancel =
  | { f: 'cancel'; type: 'invoke' | 'ok'; execution: string }
  | { f: 'cancel'; type: 'info'; execution: string; error: string; isTold: boolean };

/** One connection of the subscriber of an execution. */
type Subscribe =
  | { f: 'subscribe'; type: 'invoke'; execution: string; gateway: string }
  /** `end`: why it ended before the subscription completed. */
  | { f: 'subscribe'; type: 'ok'; execution: string }
  | { f: 'subscribe'; type: 'info'; execution: string; end: string };

interface Told {
  f: 'told';
  type: 'info';
  execution: string;
  event: ToldEvent;
}

/** An event without what nobody checks; the rows of a page are judged where they arrive and counted here. */
export interface ToldEvent {
  name: string;
  version?: number;
  state?: string;
  reason?: string;
  page?: ToldPage;
}

export interface ToldPage {
  offset: number;
  count: number;
  /** Rows that are not what the statement makes of their number. */
  wrong: number;
  /** Rows that the caller's policies hide. */
  outside: number;
}

/** An event of executionsFinished. */
interface Finished {
  f: 'finished';
  type: 'info';
  caller: string;
  execution: string;
  state: string;
}

/** A change of metadata, which is not sent again. */
type Change =
  | { f: 'change'; type: 'invoke' | 'ok'; name: string; value: number }
  | { f: 'change'; type: 'fail'; name: string; value: number; error: string }
  | { f: 'change'; type: 'info'; name: string; value: number; error: string; isTold: boolean };

/** What can be read in the end of one changed thing. */
interface Saved {
  f: 'saved';
  type: 'ok';
  name: string;
  value: number;
}

/** An execution as the orchestrator's own tables have it. */
interface Seen {
  f: 'seen';
  type: 'ok';
  execution: string;
  key: string | null;
  state: string;
  finishedAtMs: number | null;
  code: string | null;
  retryable: boolean | null;
  attempts: number;
  /** Read when everything had come to rest. */
  isLast: boolean;
}

/** The marks of all statements that run at the source at this moment. */
interface Statements {
  f: 'statements';
  type: 'ok';
  marks: string[];
  isLast: boolean;
}

/** A time in which something was broken on purpose. `mended` is when what was broken could be used again, such as a promotion. */
type Outage =
  | { f: 'outage'; type: 'invoke'; name: string }
  | { f: 'outage'; type: 'ok'; name: string; fromMs: number; mendedMs: number };
