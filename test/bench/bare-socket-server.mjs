// The control of subscriptions: graphql-ws and nothing else. It never executes: what is published is one string that all
// subscriptions share. A line on standard input is the payload to publish; with a Redis in its environment it
// reads a stream instead, whose entries say whom they are for by the number in the subscription's query.
import { createInterface } from 'node:readline';
import { createServer } from 'node:http';
import { makeServer } from 'graphql-ws';
import { buildSchema, parse } from 'graphql';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';

const schema = buildSchema('type Query { a: Int } type Subscription { told: String }');
const document = parse('subscription { told }');
const members = new Set();
const byNumber = new Map();

/** Ends when it is returned, and tells nothing: what is published goes straight to the socket. */
function silence(member) {
  const end = Promise.withResolvers();
  const iterator = {
    next: () => end.promise,
    return: async () => {
      members.delete(member);
      byNumber.delete(member.number);
      end.resolve({ done: true, value: undefined });
      return end.promise;
    },
    throw: async () => end.promise,
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

const protocol = makeServer({
  onConnect: () => true,
  onSubscribe: ({ extra }, id, { variables }) => ({
    schema,
    document,
    member: { socket: extra, id, number: String(variables?.number ?? '') },
  }),
  subscribe: async ({ member }) => {
    members.add(member);
    byNumber.set(member.number, member);
    publishTo(member, '{"data":{"told":"begun"}}');
    return silence(member);
  },
});

function publishTo({ socket, id }, payload) {
  socket.send(`{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`);
}

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false, maxPayload: 256 * 1024 });
sockets.on('connection', (socket) => {
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => new Promise((resolve) => socket.send(text, resolve)),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) => socket.on('message', (data) => void handle(data.toString())),
    },
    socket,
  );
  socket.once('close', (code, reason) => void closed(code, reason.toString()));
});
http.listen(0, '127.0.0.1', 4_096, () => process.stdout.write(`${http.address().port}\n`));

createInterface({ input: process.stdin })
  .on('line', (payload) => {
    for (const member of members) publishTo(member, payload);
  })
  // Ends with whoever started it.
  .on('close', () => process.exit(0));

const { BARE_REDIS: redis } = process.env;
if (redis) void readStream(new Redis(JSON.parse(redis)));

async function readStream(redis) {
  let position = '$';
  for (;;) {
    const streams = await redis.xread('COUNT', 1_000, 'BLOCK', 1_000, 'STREAMS', 'bare:told', position);
    for (const [, entries] of streams ?? []) {
      for (const [id, [number, payload]] of entries) {
        position = id;
        const member = byNumber.get(number);
        if (member) publishTo(member, payload);
      }
    }
  }
}
