import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  DataKeys,
  MasterKeys,
  newDataKey,
  openBytes,
  openSecrets,
  openText,
  sealBytes,
  sealSecrets,
  sealText,
  unwrapDataKey,
  wrapDataKey,
} from './index.js';

const keyText = (): string => randomBytes(32).toString('base64');
const [first, second] = [keyText(), keyText()];
const masterKeys = MasterKeys.parse(`k1:${first}`);
const aad = 'wsp_1/src_1';
const secrets = { password: 'pässword', nested: { key: ['a', 1, null] } };

const sealed = () => sealSecrets(secrets, newDataKey(masterKeys, 'wsp_1'), aad);
const unreadable = expect.objectContaining({ code: 'secret.unreadable' });

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}

describe('secrets', () => {
  it('open to what was sealed', () => {
    expect(openSecrets(sealed(), masterKeys, aad)).toEqual(secrets);
  });

  it('never seal to the same bytes twice, and never show their text', () => {
    const dataKey = newDataKey(masterKeys, 'wsp_1');
    const [one, other] = [sealSecrets(secrets, dataKey, aad), sealSecrets(secrets, dataKey, aad)];
    expect(one.ciphertext).not.toEqual(other.ciphertext);
    expect(Buffer.from(one.ciphertext).toString('latin1')).not.toContain('password');
  });

  it('are unreadable in another row, and in another workspace', () => {
    for (const other of ['wsp_1/src_2', 'wsp_2/src_1', 'wsp_1/', 'wsp_1', '']) {
      expect(() => openSecrets(sealed(), masterKeys, other)).toThrow(unreadable);
    }
  });

  it('are unreadable when any one bit of ciphertext or wrapped key was changed', () => {
    const good = sealed();
    for (let index = 0; index < good.ciphertext.length; index += 1) {
      const changed = { ...good, ciphertext: flipped(good.ciphertext, index) };
      expect(() => openSecrets(changed, masterKeys, aad)).toThrow(unreadable);
    }
    for (let index = 0; index < good.wrappedKey.length; index += 1) {
      const changed = { ...good, wrappedKey: flipped(good.wrappedKey, index) };
      expect(() => openSecrets(changed, masterKeys, aad)).toThrow(unreadable);
    }
  });

  it('are unreadable when cut, to nothing as well', () => {
    const good = sealed();
    for (const length of [0, 1, 27, good.ciphertext.length - 1]) {
      const cut = { ...good, ciphertext: good.ciphertext.subarray(0, length) };
      expect(() => openSecrets(cut, masterKeys, aad)).toThrow(unreadable);
    }
  });

  it('are unreadable with the data key of another secret of the same workspace', () => {
    const swapped = { ...sealed(), wrappedKey: sealed().wrappedKey };
    expect(() => openSecrets(swapped, masterKeys, aad)).toThrow(unreadable);
  });

  it('are unreadable with another master key of the same id', () => {
    expect(() => openSecrets(sealed(), MasterKeys.parse(`k1:${second}`), aad)).toThrow(unreadable);
  });
});

describe('a sealed text', () => {
  const text = 'kéy: of masks';
  const sealedText = () => sealText(text, newDataKey(masterKeys, 'wsp_1'), 'wsp_1/run_1');

  it('opens to what was sealed, and does not show it', () => {
    expect(openText(sealedText(), masterKeys, 'wsp_1/run_1')).toBe(text);
    expect(sealedText()).not.toContain(Buffer.from(text).toString('base64url'));
  });

  it('is unreadable in another row or workspace, cut, changed, or as anything else', () => {
    for (const other of ['wsp_1/run_2', 'wsp_2/run_1', 'wsp_1', '']) {
      expect(() => openText(sealedText(), masterKeys, other)).toThrow(unreadable);
    }
    const parts = sealedText().split(':');
    for (const bad of [
      '',
      text,
      'k1::',
      parts.slice(0, 2).join(':'),
      `${sealedText()}:`,
      `${sealedText().slice(0, -8)}AAAAAAAA`,
    ]) {
      expect(() => openText(bad, masterKeys, 'wsp_1/run_1')).toThrow(unreadable);
    }
  });
});

describe('data keys', () => {
  it('unwrap for their own workspace and for no other', () => {
    const dataKey = newDataKey(masterKeys, 'wsp_1');
    expect(unwrapDataKey(dataKey, masterKeys, 'wsp_1').key).toEqual(dataKey.key);
    expect(() => unwrapDataKey(dataKey, masterKeys, 'wsp_2')).toThrow(unreadable);
  });

  it('outlive a change of the master key: the old one opens, the new one wraps', () => {
    const old = newDataKey(masterKeys, 'wsp_1');
    const both = MasterKeys.parse(`k2:${second},k1:${first}`);
    const wrappedAnew = wrapDataKey(unwrapDataKey(old, both, 'wsp_1').key, both, 'wsp_1');
    expect(wrappedAnew.masterKeyId).toBe('k2');
    const sealedBefore = sealSecrets(secrets, old, aad);
    expect(openSecrets(sealedBefore, both, aad)).toEqual(secrets);
    const onlyNew = MasterKeys.parse(`k2:${second}`);
    expect(unwrapDataKey(wrappedAnew, onlyNew, 'wsp_1').key).toEqual(old.key);
    expect(() => openSecrets(sealedBefore, onlyNew, aad)).toThrow(unreadable);
  });
});

describe('sealed bytes', () => {
  const place = { group: 'wsp_1/run_1', name: '1/0' };
  const page = Buffer.from('rows');

  it('open at their place with the master key alone, and at no other', () => {
    const sealed = sealBytes(page, newDataKey(masterKeys, 'wsp_1'), place);
    expect(openBytes(sealed, masterKeys, place)).toEqual(page);
    for (const other of [
      { ...place, name: '1/1' },
      { ...place, group: 'wsp_1/run_2' },
      { ...place, group: 'wsp_2/run_1' },
    ]) {
      expect(() => openBytes(sealed, masterKeys, other)).toThrow(unreadable);
    }
  });

  it('do not open where any byte was changed or the end is missing', () => {
    const sealed = sealBytes(page, newDataKey(masterKeys, 'wsp_1'), place);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (sealed[at] ?? 0) ^ 1;
      expect(() => openBytes(changed, masterKeys, place)).toThrow(unreadable);
      expect(() => openBytes(sealed.subarray(0, at), masterKeys, place)).toThrow(unreadable);
    }
  });
});

describe('data keys of workspaces', () => {
  it('are asked for once by all who want them at a time, and a failure is not remembered', async () => {
    let asked = 0;
    const keys = new DataKeys(masterKeys, async (workspaceId) => {
      asked += 1;
      if (asked === 1) throw new Error('auth is away');
      return newDataKey(masterKeys, workspaceId);
    });
    await expect(keys.get('wsp_1')).rejects.toThrow('away');
    const [one, two] = await Promise.all([keys.get('wsp_1'), keys.get('wsp_1')]);
    expect([one.key, asked]).toEqual([two.key, 2]);
  });
});

describe('master keys', () => {
  it.each([
    ['nothing', ''],
    ['a key without id', first],
    ['a key of 31 bytes', `k1:${randomBytes(31).toString('base64')}`],
    ['what is not base64', `k1:${'!'.repeat(44)}`],
    ['an id twice', `k1:${first},k1:${second}`],
  ])('are refused from %s', (_, text) => {
    expect(() => MasterKeys.parse(text)).toThrow();
  });

  it('are refused without repeating any of the key', () => {
    const text = `k1:${first.slice(0, 40)}`;
    const refused = (): MasterKeys => MasterKeys.parse(text);
    expect(refused).toThrow(/k1/);
    expect(refused).not.toThrow(new RegExp(first.slice(0, 8).replace(/[+/]/g, '\\$&')));
  });
});
