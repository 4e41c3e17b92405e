import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ConnectionRoom } from './connection-room.js';

/** As much of a socket as a room looks at. */
class FakeSocket extends EventEmitter {
  writableLength = 0;
  destroyed = false;
}

function makeRoom(): { socket: FakeSocket; room: ConnectionRoom } {
  const socket = new FakeSocket();
  return { socket, room: new ConnectionRoom(socket as unknown as Socket, 100) };
}

const staying = new AbortController().signal;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('The room of a connection', () => {
  it('lets few make something large at a time, and the others in the order of their coming', async () => {
    const { room } = makeRoom();
    const begun: number[] = [];
    const ends = new Map<number, () => void>();
    const begin = async (n: number): Promise<void> => {
      const end = await room.turn(staying);
      begun.push(n);
      ends.set(n, end);
    };
    for (let n = 0; n < 10; n += 1) void begin(n);
    await settle();
    expect(begun).toEqual([0, 1, 2, 3]);
    for (let n = 0; n < 10; n += 1) {
      ends.get(n)?.();
      // Ending twice gives no second turn.
      ends.get(n)?.();
      await settle();
    }
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('lets nobody make anything for a client that does not read, until it has read or is gone', async () => {
    const { socket, room } = makeRoom();
    socket.writableLength = 100;
    const passed: string[] = [];
    void room.whenFree(staying).then(() => passed.push('free'));
    void room.turn(staying).then(() => passed.push('turn'));
    await settle();
    expect(passed).toEqual([]);
    socket.writableLength = 0;
    socket.emit('drain');
    await settle();
    expect(passed.toSorted()).toEqual(['free', 'turn']);
    socket.writableLength = 100;
    void room.whenFree(staying).then(() => passed.push('gone'));
    socket.destroyed = true;
    socket.emit('close');
    await settle();
    expect(passed.at(-1)).toBe('gone');
  });

  it('holds nothing of those who leave while they wait, and asks nothing of a connection when nobody waits', async () => {
    const { socket, room } = makeRoom();
    socket.writableLength = 100;
    for (let count = 0; count < 100; count += 1) {
      const leaving = new AbortController();
      const left = Promise.all([room.whenFree(leaving.signal), room.turn(leaving.signal)]);
      leaving.abort();
      await left;
    }
    expect({ waits: room.waits, drain: socket.listenerCount('drain'), close: socket.listenerCount('close') }).toEqual({
      waits: 0,
      drain: 0,
      close: 0,
    });
    // Nobody took a turn with them.
    socket.writableLength = 0;
    const turns: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) void room.turn(staying).then(() => turns.push(name));
    await settle();
    expect(turns).toEqual(['a', 'b', 'c', 'd']);
  });
});
