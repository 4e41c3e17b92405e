import type { Duplex } from 'node:stream';
import type { Connection } from 'pg';
import type { Column } from '#libs/contracts';
import { releaseBuffers, type RowBatch } from '#libs/result-store';
import type { RowStream, StatementValue } from '../connector/connector.js';
import { uniqueNames } from '../connector/unique-names.js';
import type { MessageTap, RowTaker } from './message-tap.js';
import type { PostgresClient } from './postgres-client.js';
import { unknownType, type PostgresType } from './postgres-types.js';
import { RowWriter } from './row-writer.js';

/** The steps of the extended protocol, as the driver's connection writes them. */
interface ExtendedProtocol {
  parse(query: { text: string }): void;
  bind(config: { portal: string; values: (string | null)[] }): void;
  describe(subject: { type: 'P'; name: string }): void;
  execute(config: { portal: string; rows: number }): void;
  sync(): void;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

/** How the types of a result's columns are found; a promise only where the source must be asked. */
export type ResolveTypes = (
  oids: readonly number[],
) => ReadonlyMap<number, PostgresType> | Promise<ReadonlyMap<number, PostgresType>>;

/** The socket is paused here, so that the server waits until rows have been taken. */
const waitingBytesMax = 256 * 1024;

const nullToken = Buffer.from('null');

/**
 * One statement through the extended protocol, its text as it was given, its rows as the JSON text of arrays.
 *
 * The portal is executed to its end and held back by the socket: a server that is asked for a number of rows at a
 * time runs its plan without parallel workers, while one that cannot send simply waits.
 */
export class RowQuery implements RowStream, RowTaker {
  columns: readonly Column[] = [];
  /** Resolves when the columns are known, rejects where the statement fails before. */
  readonly described: Promise<void>;
  private readonly stream: Duplex;
  private readonly tap: MessageTap;
  private settleDescribed: { resolve: () => void; reject: (error: Error) => void } | undefined;
  private types: readonly PostgresType[] | undefined;
  private untyped: Buffer[] = [];
  private readonly written = new RowWriter();
  private isOver = false;
  private isDiscarded = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private onOver: (() => void) | undefined;

  constructor(
    private readonly sql: string,
    private readonly values: readonly StatementValue[],
    { stream, tap }: Pick<PostgresClient, 'stream' | 'tap'>,
    private readonly resolveTypes: ResolveTypes,
  ) {
    this.stream = stream;
    this.tap = tap;
    this.described = new Promise((resolve, reject) => (this.settleDescribed = { resolve, reject }));
    // It may fail before anyone waits for it.
    this.described.catch(() => undefined);
  }

  async next(): Promise<RowBatch | undefined> {
    while (this.written.rowCount === 0 && !this.isOver) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.failure !== undefined) throw this.failure;
    if (this.written.rowCount === 0) return undefined;
    const batch = this.written.take();
    releaseBuffers(batch.text.length);
    this.stream.resume();
    return batch;
  }

  /** Lets what still comes pass by unread, and resolves when the server has ended the statement. */
  discard(): Promise<void> {
    this.isDiscarded = true;
    this.written.take();
    this.stream.resume();
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => (this.onOver = resolve));
  }

  // ---- called by the driver

  submit(connection: Connection): void {
    // The driver's connection has these methods; its published types leave them out.
    const protocol = connection as unknown as ExtendedProtocol;
    this.tap.taker = this;
    // Without types: the server takes a value for what stands beside its placeholder, as it does a literal in quotes.
    protocol.parse({ text: this.sql });
    protocol.bind({ portal: '', values: [...this.values] });
    protocol.describe({ type: 'P', name: '' });
    protocol.execute({ portal: '', rows: 0 });
    protocol.sync();
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    const found = this.resolveTypes(fields.map(({ dataTypeID }) => dataTypeID));
    if (!(found instanceof Promise)) {
      this.describe(fields, found);
      return;
    }
    this.stream.pause();
    found
      .then((types) => this.describe(fields, types))
      // Nobody reads what this connection still brings.
      .catch((error: Error) => {
        this.finish(error);
        this.stream.destroy(error);
      });
  }

  takeRow(bytes: Buffer, from: number, to: number): void {
    if (this.isDiscarded) return;
    if (!this.types) {
      this.untyped.push(Buffer.from(bytes.subarray(from, to)));
      return;
    }
    this.write(bytes, from, to, this.types);
    if (this.written.byteCount >= waitingBytesMax) this.stream.pause();
    this.wake?.();
  }

  handleDataRow(): void {
    // Rows are taken before they reach the driver.
  }

  handleCommandComplete(): void {
    // The server is ready a moment later, and only then has the statement ended.
  }

  handleEmptyQuery(): void {
    // As above.
  }

  handlePortalSuspended(): void {
    // Cannot be: the portal is executed without a limit.
  }

  handleReadyForQuery(): void {
    this.finish(undefined);
  }

  handleError(error: Error): void {
    this.finish(error);
  }

  private describe(fields: readonly Field[], found: ReadonlyMap<number, PostgresType>): void {
    const types = fields.map(({ dataTypeID }) => found.get(dataTypeID) ?? unknownType);
    const names = uniqueNames(fields.map(({ name }) => name));
    this.types = types;
    this.columns = types.map(({ type }, index) => ({ name: names[index] ?? '', type, nullable: true }));
    for (const row of this.untyped) this.write(row, 0, row.length, types);
    this.untyped = [];
    if (this.written.byteCount < waitingBytesMax) this.stream.resume();
    this.settleDescribed?.resolve();
  }

  /** A DataRow: the count of values, and in front of each its length, -1 for NULL. */
  private write(bytes: Buffer, from: number, to: number, types: readonly PostgresType[]): void {
    const { written } = this;
    let at = from + 2;
    written.begin();
    for (const type of types) {
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length > to - at) throw new Error('the server sent a row that is shorter than its values');
      if (length < 0) written.whole(nullToken);
      else type.write(written, bytes, at, (at += length));
    }
    written.end();
  }

  private finish(error: Error | undefined): void {
    if (this.isOver) return;
    // The first end is the one that counts; a connection that breaks afterwards changes nothing.
    this.isOver = true;
    this.tap.taker = undefined;
    this.failure = error;
    if (error !== undefined) this.settleDescribed?.reject(error);
    this.wake?.();
    this.onOver?.();
  }
}
