import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CursorKeys } from '../cursors/cursor-keys.js';
import { DownloadAddresses, type DownloadGrant } from './download-addresses.js';

const newKey = () => randomBytes(32).toString('base64');
const [first, second] = [newKey(), newKey()];

function addressesWith(text: string): DownloadAddresses {
  const cursorKeys = CursorKeys.parse(text);
  if (!cursorKeys) throw new Error('the keys are not good');
  return new DownloadAddresses({ cursorKeys });
}

const addresses = addressesWith(`k1:${first}`);
const grant: DownloadGrant = {
  executionId: 'exe_1',
  format: 'CSV',
  columns: [2, 0],
  escapesFormulas: true,
  accessToken: 'the token of the caller',
  expiresAtMs: 1_000,
};
const invalid = expect.objectContaining({ code: 'download.address_invalid' });

describe('the signature of an address', () => {
  it('opens as it was made, until it expires', () => {
    const signature = addresses.sign(grant);
    expect(addresses.open(signature, 999)).toEqual(grant);
    expect(() => addresses.open(signature, 1_000)).toThrowError(invalid);
  });

  it('gives away nothing of the token in it', () => {
    expect(Buffer.from(addresses.sign(grant), 'base64url').toString('latin1')).not.toContain('token');
  });

  it('with any bit changed, cut or made up is refused', () => {
    const sealed = Buffer.from(addresses.sign(grant), 'base64url');
    for (let at = 0; at < sealed.length; at++) {
      const bad = Buffer.from(sealed);
      bad[at] = (bad[at] ?? 0) ^ 1;
      expect(() => addresses.open(bad.toString('base64url'), 0), `byte ${at}`).toThrowError(invalid);
      expect(() => addresses.open(sealed.subarray(0, at).toString('base64url'), 0), `cut ${at}`).toThrowError(invalid);
    }
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), (text) => {
        expect(() => addresses.open(text, 0)).toThrowError(invalid);
      }),
    );
  });

  it('is written in one way only', () => {
    const signature = addresses.sign(grant);
    for (const other of [`${signature}!`, `${signature}=`, ` ${signature}`]) {
      expect(() => addresses.open(other, 0), other).toThrowError(invalid);
    }
  });

  it('outlives a change of keys as long as its key is kept', () => {
    const old = addresses.sign(grant);
    expect(addressesWith(`k2:${second},k1:${first}`).open(old, 0)).toEqual(grant);
    expect(() => addressesWith(`k2:${second}`).open(old, 0)).toThrowError(invalid);
  });
});
