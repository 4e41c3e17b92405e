import { afterEach, describe, expect, it } from 'vitest';
import { readCredentials } from './read-credentials.js';

const names = ['apiKey', 'accessToken'] as const;

afterEach(() => {
  for (const name of names) Reflect.deleteProperty(Object.prototype, name);
});

describe('the credentials of a caller', () => {
  it('are its own alone, whatever all objects may have come to share', () => {
    for (const name of names) {
      // oxlint-disable-next-line no-extend-native -- as an attacker would have done
      Object.defineProperty(Object.prototype, name, { value: 'of another', configurable: true, writable: true });
    }
    const { apiKey, accessToken } = readCredentials('Bearer token');
    expect([apiKey, accessToken]).toEqual([undefined, 'token']);
    const key = readCredentials('Key slk_x');
    expect([key.apiKey, key.accessToken]).toEqual(['slk_x', undefined]);
  });
});
