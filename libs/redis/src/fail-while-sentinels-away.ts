import type { Redis } from 'ioredis';

/**
 * While no sentinel answers, ioredis asks them again without end and keeps what is sent meanwhile for as long: it fails at once here,
 * as on a server that is away.
 */
export function failWhileSentinelsAway(client: Redis): void {
  let isAway = false;
  const fault = (): Error => new Error('none of the sentinels can be reached');
  client.on('error', (error: Error) => {
    if (!areSentinelsAway(error)) return;
    isAway = true;
    queueOf(client).flushQueue(fault());
  });
  client.on('connect', () => {
    isAway = false;
  });
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    // A connection that is there is signed in on before it is told of.
    if (!isAway || (client.status !== 'connecting' && client.status !== 'reconnecting')) return send(command, stream);
    command.reject(fault());
    return command.promise;
  };
}

/** Private to ioredis, which has no other way to reject what waits. */
function queueOf(client: object): { flushQueue(error: Error): void } {
  return client as { flushQueue(error: Error): void };
}

/** By the only words that ioredis has for it. */
export function areSentinelsAway(error: Error): boolean {
  return error.message.startsWith('All sentinels are unreachable');
}
