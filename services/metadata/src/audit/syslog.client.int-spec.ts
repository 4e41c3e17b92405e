import { createServer, getCACertificates, setDefaultCACertificates, type Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReceiverClient } from '#libs/receivers';
import { selfSigned } from '#libs/testing';
import { SyslogClient } from './syslog.client.js';

let server: Server;
let received = '';
const trusted = getCACertificates('default');
let certificate = '';

beforeAll(async () => {
  const made = await selfSigned();
  certificate = made.certificate;
  server = createServer({ cert: made.certificate, key: made.privateKey }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  received = '';
  setDefaultCACertificates([...trusted, certificate]);
});

function send(host = 'localhost'): Promise<string | undefined> {
  // Every name leads to the one server.
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  const receivers = new ReceiverClient({ allowedNetworks: ['127.0.0.0/8'], timeoutMs: 2_000 }, resolve);
  const audit = { allowedNetworks: ['127.0.0.0/8'], timeoutMs: 2_000, pollMs: 50, sweepSeconds: 3_600 };
  const { port } = server.address() as AddressInfo;
  return new SyslogClient(receivers, { audit }).send(`syslog+tls://${host}:${port}`, [
    Buffer.from('3 one'),
    Buffer.from('3 two'),
  ]);
}

describe('syslog over TLS', () => {
  it('has a batch taken by a server whose certificate is good for its name', async () => {
    expect(await send()).toBeUndefined();
    expect(received).toBe('3 one3 two');
  });

  it('tells nothing to a server whose certificate nobody vouches for', async () => {
    setDefaultCACertificates(trusted);
    expect(await send()).toEqual(expect.any(String));
    expect(received).toBe('');
  });

  it('tells nothing to a server of another name', async () => {
    expect(await send('siem.example.com')).toEqual(expect.any(String));
    expect(received).toBe('');
  });
});
