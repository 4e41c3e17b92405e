// The control of a hit one at a time: the processes and connections that its record needs, and nothing else. `edge` answers HTTP with a
// constant when the record is told to it, `recorder` writes it; two Redis streams between them. Settings by the variable BARE_WAY.
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import pg from 'pg';

const { role, redis, database, table, stream, bytes } = JSON.parse(process.env.BARE_WAY);
const connect = () => new Redis(redis);
const requests = `{${stream}}:request`;
const replies = `{${stream}}:reply`;
const send = (client, key, id) => client.xadd(key, 'MAXLEN', '~', 1_000, '*', 'id', id);

async function edge() {
  const [writer, reader] = [connect(), connect()];
  const answer = 'x'.repeat(bytes);
  const waiting = new Map();
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const id = `exe_${process.hrtime.bigint()}`;
      waiting.set(id, () => response.end(answer));
      void send(writer, requests, id);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  void (async () => {
    // The stream is new: from its beginning.
    for (let position = '0'; ;) {
      const [[, entries]] = await reader.xread('BLOCK', 0, 'STREAMS', replies, position);
      for (const [entry, [, id]] of entries) {
        position = entry;
        waiting.get(id)?.();
        waiting.delete(id);
      }
    }
  })();
  return server.address().port;
}

async function recorder() {
  const [writer, reader] = [connect(), connect()];
  const client = new pg.Client(database);
  await client.connect();
  // As the row of a hit is written: without waiting for the disk.
  const text = `insert into ${table} (id, note) values ($1, set_config('synchronous_commit', 'off', true))`;
  await writer.xgroup('CREATE', requests, 'recorder', '0', 'MKSTREAM');
  void (async () => {
    for (;;) {
      const read = await reader.xreadgroup('GROUP', 'recorder', 'one', 'BLOCK', 0, 'STREAMS', requests, '>');
      for (const [entry, [, id]] of read[0][1]) {
        void writer.pipeline().xack(requests, 'recorder', entry).xdel(requests, entry).exec();
        await client.query({ name: 'record', text, values: [id] });
        void send(writer, replies, id);
      }
    }
  })();
  return 0;
}

process.stdout.write(`${await (role === 'edge' ? edge() : recorder())}\n`);
// Ends with whoever started it; the edge, which ends last, leaves no stream.
process.stdin.resume().on('end', async () => {
  if (role === 'edge') await connect().del(requests, replies);
  process.exit(0);
});
