import type { Redis } from 'ioredis';

/** Called for each command, with the time from call to reply. */
export type ObserveCommand = (command: string, seconds: number) => void;

/**
 * Makes one write of all commands of one turn of the event loop. It does what ioredis calls auto-pipelining, but at the
 * socket: a command waits neither for the replies to those before it nor in a promise of a pipeline's own.
 */
export function batchWrites(client: Redis, observe: ObserveCommand | undefined): void {
  const send = client.sendCommand.bind(client);
  const batch = new Batch(client);
  client.sendCommand = (command, stream) => {
    // Replies are told apart by their order alone: what is not written by the batch must come behind it on the socket too.
    // A pipeline writes for itself, and before it is ready so does a connection that introduces itself.
    const ofBatch = stream === undefined && client.status === 'ready';
    if (!ofBatch) batch.flush();
    const sent = send(command, ofBatch ? batch.stream : stream);
    if (observe) timed(command, observe);
    return sent;
  };
}

type CommandStream = NonNullable<Parameters<Redis['sendCommand']>[1]>;

/** What a command is written to instead of the socket. */
class Batch {
  // ioredis calls `write` of a stream that it is given, and nothing else.
  readonly stream = { write: (chunk: string | Buffer): boolean => this.add(chunk) } as unknown as CommandStream;
  private chunks: (string | Buffer)[] = [];
  private socket: Redis['stream'] | undefined;

  constructor(private readonly client: Redis) {}

  private add(chunk: string | Buffer): boolean {
    const { stream } = this.client;
    if (this.socket !== stream) {
      // The commands of a connection that broke are rejected by ioredis; on the new one they are nobody's.
      this.chunks = [];
      this.socket = stream;
    }
    if (this.chunks.push(chunk) === 1) setImmediate(() => this.flush());
    return true;
  }

  flush(): void {
    const { chunks, socket } = this;
    this.chunks = [];
    if (chunks.length === 0 || !socket?.writable) return;
    socket.write(chunks.every((chunk) => typeof chunk === 'string') ? chunks.join('') : joined(chunks));
  }
}

function joined(chunks: readonly (string | Buffer)[]): Buffer {
  const [first] = chunks;
  if (chunks.length === 1 && Buffer.isBuffer(first)) return first;
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}

function timed(command: { name: string; promise: Promise<unknown> }, observe: ObserveCommand): void {
  const begun = performance.now();
  const settled = (): void => observe(command.name, (performance.now() - begun) / 1_000);
  // A handler on both sides, so that watching never makes an unhandled rejection of its own.
  command.promise.then(settled, settled);
}
