import { expect, it, onTestFinished } from 'vitest';
import { delay } from '#libs/kernel';
import { startPostgres, TcpProxy } from '#libs/testing';
import { PostgresConnector } from './postgres-connector.js';

async function connectThroughProxy(trustedMs: number) {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const url = new URL(await server.createDatabase());
  const proxy = await TcpProxy.start(Number(url.port));
  onTestFinished(() => proxy.stop());
  const connector = new PostgresConnector({ connectTimeoutMs: 1_000, idleMax: 2, idleMs: 30_000, trustedMs });
  onTestFinished(() => connector.close());
  const { username: user, password } = url;
  const options = { host: '127.0.0.1', port: proxy.port, database: url.pathname.slice(1), user, password };
  const purpose = { runId: 'run_1', workspaceId: 'wsp_1', submittedById: 'usr_1', timeoutMs: 5_000 };
  const open = () => connector.open({ id: 'src_1', version: 1, options }, purpose);
  await (await open()).close();
  return { proxy, open };
}

it('a connection that died without a word while it waited holds up no run', async () => {
  const { proxy, open } = await connectThroughProxy(0);

  proxy.swallow();
  const opening = open();
  // Long enough for the first word on the connection that has waited, which is then dead for good.
  await delay(300);
  proxy.restore();
  const session = await opening;
  const stream = await session.query('select 1');
  expect((await stream.next())?.rows).toEqual(['[1]']);
  await session.close();
});

it('a connection that was trusted and is dead fails the run as one that may be tried again, and is used no more', async () => {
  const { proxy, open } = await connectThroughProxy(60_000);
  proxy.swallow();
  const session = await open();
  await expect(session.query('select 1')).rejects.toMatchObject({ code: 'source.unavailable', retryable: true });
  await session.close();
  proxy.restore();
  const next = await open();
  expect((await (await next.query('select 1')).next())?.rows).toEqual(['[1]']);
  await next.close();
});

it('a run that was cancelled while its transaction began never reaches the server', async () => {
  const { proxy, open } = await connectThroughProxy(60_000);
  proxy.swallow();
  const session = await open();
  const outcome = session.query('select pg_sleep(60)').catch((error: unknown) => error);
  await session.cancel().catch(() => undefined);
  proxy.restore();
  expect(await outcome).toMatchObject({ code: expect.stringMatching(/run.timed_out|source.unavailable/) });
  await session.close();
});
