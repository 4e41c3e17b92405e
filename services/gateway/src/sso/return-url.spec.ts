import { describe, expect, it } from 'vitest';
import { checkReturnUrl } from './return-url.js';

const origin = 'https://sluice.example.com';
const allowed = ['https://app.example.com', '*'];
const check = (text: string | undefined) => checkReturnUrl(text, origin, allowed);

describe('open redirect on return URL', () => {
  it.each([
    [undefined, '/v1/sso/done'],
    ['', '/v1/sso/done'],
    ['/reports?id=1#top', '/reports?id=1#top'],
    ['/a/../b', '/b'],
    ['https://app.example.com/x?y=1', 'https://app.example.com/x?y=1'],
    ['https://sluice.example.com/x', 'https://sluice.example.com/x'],
  ])('%j leads to %j', (text, address) => {
    expect(check(text)).toBe(address);
  });

  it.each([
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '/a/..//evil.example',
    '/.//evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' https://evil.example',
    'https://evil.example',
    'https://app.example.com.evil.example',
    'https://app.example.com@evil.example',
    'https://user:password@app.example.com',
    'http://app.example.com',
    'https:evil.example',
    'https:/evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    'evil.example',
    'https://аpp.example.com',
    `/${'x'.repeat(3_000)}`,
  ])('%j is refused', (text) => {
    expect(() => check(text)).toThrow(expect.objectContaining({ code: 'sso.return_refused' }));
  });

  it('a wildcard among the origins names nobody to go back to', () => {
    expect(() => checkReturnUrl('https://evil.example', origin, ['*'])).toThrow();
  });
});
