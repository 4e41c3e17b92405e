import pg from 'pg';

/** For the connection, and as long again for the answer. */
const askTimeoutMs = 2_000;

/** The connection was made, and then no answer came. */
export class NoAnswer extends Error {}

/** Asks a server on a connection of its own, which is not there for long, whatever the server does. @throws NoAnswer */
export async function askServer<T>(settings: pg.ClientConfig, ask: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...settings, connectionTimeoutMillis: askTimeoutMs });
  client.on('error', () => undefined);
  const giveUp = (): unknown => client.connection.stream.destroy(new NoAnswer('the server has not answered'));
  const timer = setTimeout(giveUp, 2 * askTimeoutMs);
  try {
    await client.connect();
    return await ask(client);
  } finally {
    client.end().then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }
}
