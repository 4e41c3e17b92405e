import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResolveName } from '#libs/outbound';
import { ReceiverClient } from '#libs/receivers';
import { WebhookReceiver } from '../../test/webhook-receiver.js';

const refused = { failure: 'Its address is not one that webhooks may be sent to.' };

const open: (AsyncDisposable | Server)[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]();
});

function client(allowedNetworks: string[] = [], resolve?: ResolveName): ReceiverClient {
  return new ReceiverClient({ allowedNetworks, timeoutMs: 500 }, resolve);
}

const named =
  (...addresses: string[]): ResolveName =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

async function receiver(host?: string, port?: number): Promise<WebhookReceiver> {
  const started = await WebhookReceiver.start(host, port);
  open.push(started);
  return started;
}

const inside = [
  ['loopback', '127.0.0.1'],
  ['loopback beyond its first', '127.8.8.8'],
  ['loopback of IPv6', '::1'],
  ['0.0.0.0', '0.0.0.0'],
  ['0.0.0.0/8', '0.1.2.3'],
  [':: of IPv6', '::'],
  ['private 10/8', '10.1.2.3'],
  ['private 172.16/12', '172.31.255.255'],
  ['private 192.168/16', '192.168.0.1'],
  ['link-local, where clouds keep their metadata', '169.254.169.254'],
  ['link-local of IPv6', 'fe80::1'],
  ['site-local of IPv6', 'fec0::1'],
  ['unique-local', 'fd00:ec2::254'],
  ['CGNAT', '100.64.0.1'],
  ['multicast', '224.0.0.1'],
  ['multicast of IPv6', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
  ['reserved', '240.0.0.1'],
  ['benchmarking', '198.18.0.1'],
  ['documentation', '192.0.2.1'],
  ['documentation of IPv6', '2001:db8::1'],
  ['protocol assignments', '192.0.0.8'],
  ['6to4 relays', '192.88.99.1'],
  ['IPv6-mapped loopback', '::ffff:127.0.0.1'],
  ['IPv6-mapped private', '::ffff:a00:1'],
  ['IPv6-compatible', '::127.0.0.1'],
  ['IPv6-translated', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['NAT64 of a network’s own', '64:ff9b:1::7f00:1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001:0:7f00:1::'],
  ['discard', '100::1'],
  ['what is not assigned', '4000::1'],
] as const;

describe('a webhook is not sent', () => {
  it.each(inside)('SSRF %s: neither by address nor by a name that stands for it', async (_name, address) => {
    const host = address.includes(':') ? `[${address}]` : address;
    expect(await client().post(`https://${host}/`, {}, '{}')).toEqual(refused);
    const byName = client([], named(address));
    expect(await byName.post('https://receiver.example/', {}, '{}')).toEqual(refused);
    // One bad address among good ones is enough.
    const mixed = client([], named('93.184.215.14', address));
    expect(await mixed.post('https://receiver.example/', {}, '{}')).toEqual(refused);
  });

  it.each([
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://0x7f000001/',
    'https://127.1/',
    'https://１２７.0.0.1/',
  ])('SSRF other ways to write an address: %s', async (url) =>
    expect(await client().post(url, {}, '{}')).toEqual(refused),
  );

  it('SSRF by plain HTTP, but to networks that the operator has named', async () => {
    expect(await client([], named('93.184.215.14')).post('http://receiver.example/', {}, '{}')).toEqual(refused);
    const { url } = await receiver();
    expect(await client().post(url, {}, '{}')).toEqual(refused);
    expect(await client(['127.0.0.0/30']).post(url, {}, '{}')).toEqual({ status: 204 });
    expect(await client(['127.0.0.2/32']).post(url, {}, '{}')).toEqual(refused);
  });

  it('SSRF redirects: none is followed, whatever its status', async () => {
    const [first, second] = [await receiver(), await receiver()];
    for (const status of [301, 302, 303, 307, 308]) {
      first.answer = (response) => void response.writeHead(status, { location: second.url }).end();
      expect(await client(['127.0.0.0/8']).post(first.url, {}, '{}')).toEqual({
        status,
        failure: 'It redirects, which is not followed.',
      });
    }
    expect(second.received).toEqual([]);
  });

  it('SSRF DNS rebinding: a name is asked once for each attempt, and what was checked is what is connected to', async () => {
    const good = await receiver('127.0.0.2');
    const victim = await receiver('127.0.0.1', good.port);
    let asked = 0;
    // Good to whoever looks first, inside to whoever looks again.
    const rebinding: ResolveName = async () => [
      { address: (asked += 1) % 2 === 1 ? '127.0.0.2' : '127.0.0.1', family: 4 },
    ];
    const sending = client(['127.0.0.2/32'], rebinding);
    const url = `http://rebinding.example:${good.port}/`;
    expect(await sending.post(url, {}, '{}')).toEqual({ status: 204 });
    expect(asked).toBe(1);
    expect(await sending.post(url, {}, '{}')).toEqual(refused);
    expect(asked).toBe(2);
    expect(good.received).toHaveLength(1);
    expect(victim.received).toEqual([]);
  });

  it('through a proxy of the environment, which would connect wherever it is told', async () => {
    const proxy = await receiver();
    const target = await receiver();
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = proxy.url;
    try {
      expect(await client(['127.0.0.0/8']).post(target.url, {}, '{}')).toEqual({ status: 204 });
    } finally {
      if (before === undefined) Reflect.deleteProperty(process.env, 'HTTP_PROXY');
      else process.env['HTTP_PROXY'] = before;
    }
    expect(proxy.received).toEqual([]);
  });
});

describe('a receiver', () => {
  it('of the public Internet may be reached, in IPv4 and IPv6', async () => {
    for (const url of ['https://93.184.215.14/', 'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/']) {
      expect(await client().isRefused(new URL(url))).toBe(false);
    }
  });

  it('that refuses, hangs up, speaks no TLS or no HTTP, or has no name, is a failure in our own words', async () => {
    const sending = client(['127.0.0.0/8']);
    const { port, url } = await receiver();
    expect(await sending.post(`https://127.0.0.1:${port}/`, {}, '{}')).toEqual({
      failure: 'Its certificate is not good, or it speaks no TLS.',
    });
    for (const [greeting, failure] of [
      ['SSH-2.0-x\r\n', 'It does not speak HTTP.'],
      ['', 'It closed the connection without an answer.'],
    ] as const) {
      const server = createServer((socket) =>
        socket.on('error', () => undefined).once('data', () => socket.end(greeting)),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      open.push(server);
      const address = server.address();
      const other = typeof address === 'object' ? address?.port : 0;
      expect(await sending.post(`http://127.0.0.1:${other}/`, {}, '{}')).toEqual({ failure });
    }
    await open.shift()?.[Symbol.asyncDispose]();
    expect(await sending.post(url, {}, '{}')).toEqual({ failure: 'It refused the connection.' });
    expect(await client([], named()).post('https://nowhere.example/', {}, '{}')).toEqual(refused);
  });

  it('that answers with gigabytes is not read to its end', async () => {
    const big = await receiver();
    let written = 0;
    big.answer = (response) => {
      response.writeHead(200);
      const write = (): void => {
        if (response.destroyed) return;
        written += 65_536;
        response.write(Buffer.alloc(65_536), () => setImmediate(write));
      };
      write();
    };
    expect(await client(['127.0.0.0/8']).post(big.url, {}, '{}')).toEqual({ status: 200 });
    await expect.poll(() => big.openNow).toBe(0);
    expect(written).toBeLessThan(32 * 1_024 * 1_024);
  });
});
