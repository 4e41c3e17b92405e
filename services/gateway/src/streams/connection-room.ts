import type { Socket } from 'node:net';

/** Gives a turn back; calling it again does nothing. */
export type EndTurn = () => void;

/** How many may have rows in their hands at a time for one connection. */
const turnsMax = 4;
const noTurn: EndTurn = () => undefined;

/**
 * The room in one connection's buffer. Nothing is made for a connection whose client does not read: those who wait go on
 * in the order of their coming when the buffer has been taken, and only so many at a time.
 */
export class ConnectionRoom {
  private readonly waiting = new Set<() => void>();
  private readonly waitingForRoom = new Set<() => void>();
  private turns = 0;
  private isListening = false;
  private readonly onRoom = (): void => this.admit();

  constructor(
    private readonly connection: Socket,
    /** At least Node's own high-water mark, below which no drain is told. */
    private readonly bytesMax: number,
  ) {}

  /** Bytes that were sent and that the client has not taken. */
  get bufferedBytes(): number {
    return this.connection.writableLength;
  }

  get isFree(): boolean {
    return this.connection.destroyed || this.bufferedBytes < this.bytesMax;
  }

  /** Those who wait in it. */
  get waits(): number {
    return this.waiting.size + this.waitingForRoom.size;
  }

  /** Resolves when something small may be made, or the signal fires. Whoever has a turn may wait for it, so it takes none. */
  async whenFree(signal: AbortSignal): Promise<void> {
    if (!this.isFree) await this.inLine(this.waitingForRoom, signal);
  }

  /**
   * Resolves when something large may be made for this connection, or the signal fires. End it when that has been sent or
   * let go.
   */
  async turn(signal: AbortSignal): Promise<EndTurn> {
    if (this.waiting.size === 0 && this.hasTurn) this.turns += 1;
    else if (!(await this.inLine(this.waiting, signal))) return noTurn;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.turns -= 1;
      this.admit();
    };
  }

  private get hasTurn(): boolean {
    return this.connection.destroyed || (this.turns < turnsMax && this.isFree);
  }

  /** False where the signal fired first: who has left waits no longer, or a client could leave any number behind. */
  private inLine(line: Set<() => void>, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    this.listen(true);
    return new Promise((resolve) => {
      const leave = (): void => {
        line.delete(goOn);
        this.listen(this.waits > 0);
        resolve(false);
      };
      const goOn = (): void => {
        line.delete(goOn);
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      line.add(goOn);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  private admit(): void {
    if (this.isFree) for (const goOn of this.waitingForRoom) goOn();
    for (const goOn of this.waiting) {
      if (!this.hasTurn) break;
      this.turns += 1;
      goOn();
    }
    this.listen(this.waits > 0);
  }

  /** Only while somebody waits: a connection of HTTP outlives the one request that this room is for. */
  private listen(isNeeded: boolean): void {
    if (isNeeded === this.isListening) return;
    this.isListening = isNeeded;
    if (isNeeded) this.connection.on('drain', this.onRoom).on('close', this.onRoom);
    else this.connection.off('drain', this.onRoom).off('close', this.onRoom);
  }
}
