import { once } from 'node:events';
import { WebSocket } from 'ws';

type Take = (payload: Buffer, type: string) => void;

const subscribed = Buffer.from('"type":"next"');

/** One WebSocket of graphql-transport-ws with one subscription, so lean that a process can hold ten thousand. */
export class LiveSocket {
  private readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
  }

  /** Resolves when the subscription has told its first event; `take` is given each message of the protocol after the ack. */
  static async open(url: string, apiKey: string, subscribe: object, take: Take): Promise<LiveSocket> {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false, skipUTF8Validation: true });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Key ${apiKey}` } }));
    await once(socket, 'message');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: subscribe }));
    await new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve());
      socket.on('message', (data: Buffer) => {
        const isNext = data.includes(subscribed);
        if (!isNext && data.includes('"type":"error"')) reject(new Error(data.toString()));
        take(data, isNext ? 'next' : 'other');
      });
      socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
    });
    return new LiveSocket(socket);
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }
}

/** Opens many, so many at a time. */
export async function openMany<T>(count: number, open: (index: number) => Promise<T>, atOnce = 64): Promise<T[]> {
  const opened: T[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) opened[index] = await open(index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
  return opened;
}
