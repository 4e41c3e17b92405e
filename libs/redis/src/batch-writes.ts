import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';

/** Called for each command, with the time from call to reply. */
export type ObserveCommand = (command: string, seconds: number) => void;

/**
 * Makes one packet of all commands of one turn of the event loop. It does what ioredis calls auto-pipelining, but on the
 * socket: a command waits neither for the replies to those before it nor in a promise of a pipeline's own.
 */
export function batchWrites(client: Redis, observe: ObserveCommand | undefined): void {
  const send = client.sendCommand.bind(client);
  let corked: Socket | undefined;
  const flush = (): void => {
    corked?.uncork();
    corked = undefined;
  };
  client.sendCommand = (command, stream) => {
    // Undefined before the first connection. A connection that breaks while it is corked takes its commands with it.
    const socket = client.stream as Socket | undefined;
    if (socket && corked !== socket) {
      corked?.uncork();
      corked = socket;
      socket.cork();
      setImmediate(flush);
    }
    const sent = send(command, stream);
    if (observe) timed(command, observe);
    return sent;
  };
}

function timed(command: { name: string; promise: Promise<unknown> }, observe: ObserveCommand): void {
  const begun = performance.now();
  const settled = (): void => observe(command.name, (performance.now() - begun) / 1_000);
  // A handler on both sides, so that watching never makes an unhandled rejection of its own.
  command.promise.then(settled, settled);
}
