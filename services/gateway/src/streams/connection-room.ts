import type { Socket } from 'node:net';

/** Gives a turn back; calling it again does nothing. */
export type EndTurn = () => void;

/** How many may have rows in their hands at a time for one connection. */
const turnsMax = 4;

/**
 * The room in one connection's buffer. Nothing is made for a connection whose client does not read: those who wait go on
 * in the order of their coming when the buffer has been taken, and only so many at a time.
 */
export class ConnectionRoom {
  private readonly waiting: (() => void)[] = [];
  private readonly waitingForRoom: (() => void)[] = [];
  private turns = 0;
  private isListening = false;

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

  /** Resolves when something small may be made. Whoever has a turn may wait for it, so it takes none. */
  async whenFree(): Promise<void> {
    if (!this.isFree) await this.inLine(this.waitingForRoom);
  }

  /** Resolves when something large may be made for this connection. End it when that has been sent or let go. */
  async turn(): Promise<EndTurn> {
    if (this.waiting.length === 0 && this.hasTurn) this.turns += 1;
    else await this.inLine(this.waiting);
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

  private inLine(line: (() => void)[]): Promise<void> {
    if (!this.isListening) {
      this.isListening = true;
      this.connection.on('drain', () => this.admit()).once('close', () => this.admit());
    }
    return new Promise((resolve) => line.push(resolve));
  }

  private admit(): void {
    if (this.isFree) for (const goOn of this.waitingForRoom.splice(0)) goOn();
    while (this.waiting.length > 0 && this.hasTurn) {
      this.turns += 1;
      this.waiting.shift()?.();
    }
  }
}
