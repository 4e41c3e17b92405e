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

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('The room of a connection', () => {
  it('lets few make something large at a time, and the others in the order of their coming', async () => {
    const { room } = makeRoom();
    const begun: number[] = [];
    const ends = new Map<number, () => void>();
    const begin = async (n: number): Promise<void> => {
      const end = await room.turn();
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
    void room.whenFree().then(() => passed.push('free'));
    void room.turn().then(() => passed.push('turn'));
    await settle();
    expect(passed).toEqual([]);
    socket.writableLength = 0;
    socket.emit('drain');
    await settle();
    expect(passed.toSorted()).toEqual(['free', 'turn']);
    socket.writableLength = 100;
    void room.whenFree().then(() => passed.push('gone'));
    socket.destroyed = true;
    socket.emit('close');
    await settle();
    expect(passed.at(-1)).toBe('gone');
  });
});
