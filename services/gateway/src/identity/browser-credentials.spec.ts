import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { TrustedProxies } from '../http/trusted-proxies.js';
import { cookieScheme } from './authenticator.service.js';
import { BrowserCredentials } from './browser-credentials.js';

type Config = ConstructorParameters<typeof BrowserCredentials>[1];

// What they look at of the settings.
const config = { http: { allowedOrigins: ['https://app.example.com', '*'], trustedProxies: [] } } as unknown as Config;
const browsers = new BrowserCredentials(new TrustedProxies(config), config);
const byCookie = `${cookieScheme}abc`;

function request(headers: IncomingMessage['headers']): IncomingMessage {
  const all = { host: 'sluice.example.com', cookie: '__Host-sluice-session=abc', ...headers };
  // What they look at of a request.
  return { headers: all, socket: { remoteAddress: '127.0.0.1' } } as unknown as IncomingMessage;
}

describe('a cookie proves who asks', () => {
  it.each([
    ['from a page of ours', { origin: 'http://sluice.example.com' }],
    ['from a page that is named', { origin: 'https://app.example.com' }],
    ['from a page of ours that sends no origin', { 'sec-fetch-site': 'same-origin' }],
    ['from what is no browser, with the header that no page sends unasked', { 'apollo-require-preflight': '1' }],
  ])('%s', (_name, headers) => {
    expect(browsers.of(request(headers))).toBe(byCookie);
  });

  it.each([
    ['from another page', { origin: 'https://evil.example' }],
    ['from a page that a wildcard stands for', { origin: 'https://any.example' }],
    ['from a page without an origin', { origin: 'null' }],
    ['by a link on another page', { 'sec-fetch-site': 'cross-site' }],
    ['by a page of another host of the domain', { 'sec-fetch-site': 'same-site' }],
    ['by a link, whatever header comes with it', { 'sec-fetch-site': 'cross-site', 'apollo-require-preflight': '1' }],
    ['by an address that was typed', { 'sec-fetch-site': 'none' }],
    ['with nothing that says where from', {}],
  ])('but not %s', (_name, headers) => {
    expect(browsers.of(request(headers))).toBeUndefined();
  });

  it('but not where there is an authorization, which comes first', () => {
    expect(browsers.of(request({ authorization: 'Bearer x', origin: 'http://sluice.example.com' }))).toBe('Bearer x');
  });

  it('at the upgrade of a WebSocket only with an origin of ours, which every browser sends', () => {
    expect(browsers.ofUpgrade(request({ origin: 'http://sluice.example.com' }))).toBe(byCookie);
    for (const headers of [{}, { origin: 'https://evil.example' }, { 'apollo-require-preflight': '1' }]) {
      expect(browsers.ofUpgrade(request(headers))).toBeUndefined();
    }
  });
});
