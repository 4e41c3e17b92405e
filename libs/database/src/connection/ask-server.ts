import pg from 'pg';

/** For the connection, and as long again for the answer. */
const askTimeoutMs = 2_000;

/** Asks a server on a connection of its own, which is not there for long, whatever the server does: it may accept and then say nothing. */
export async function askServer<T>(settings: pg.ClientConfig, ask: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...settings, connectionTimeoutMillis: askTimeoutMs });
  client.on('error', () => undefined);
  const timer = setTimeout(() => client.connection.stream.destroy(), 2 * askTimeoutMs);
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
