import { describe, expect, it } from 'vitest';
import { countedAccount } from './counted-account.js';

describe('the account that failed sign-ins are counted by', () => {
  it.each([
    ['straße', 'strasse', 'STRASSE', 'STRAẞE', 'ſtraſſe'],
    ['odysseus Σς', 'ODYSSEUS ΣΣ', 'odysseus σς'],
    ['ﬁona', 'fiona', 'FIONA', 'Ｆｉｏｎａ'],
    ['weiß@example.com', 'weiss@example.com', 'WEISS@Example.com'],
    ['café', 'cafe\u0301', 'CAFÉ', 'cafe', 'càfẽ'],
    ['jose@example.com', 'josé@example.com', 'jóse@éxample.com'],
    ['ａｎｎ', 'ann', 'ＡＮＮ'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example', 'ann@XN--BCHER-KVA.example', 'ann@bucher.example'],
    ['すずき', 'スズキ', 'ｽｽﾞｷ', 'スズキ'.normalize('NFD')],
    ['ヵヶ', 'ゕゖ'],
    ['がぱ', 'ガパ', 'ｶﾞﾊﾟ', 'カハ'],
    ['משה', 'מֹשֶׁה'],
    ['محمد', 'مُحَمَّد'],
    ['ann\ufe0f', 'an\u20d0n', 'a\u1ab0nn', 'ann'],
    ['Jørgen Þór Łukasz', 'jorgen thor lukasz'],
    ['encyclopædia', 'ENCYCLOPÆDIA', 'encyclopaedia'],
    ['한글', '\u1112\u1161\u11ab\u1100\u1173\u11af'],
    ['ann  lee', ' Ann Lee ', 'ann\u00a0lee'],
  ])('is one for all spellings that a directory may take for the same: %s', (...spellings) => {
    expect(new Set(spellings.map(countedAccount)).size).toBe(1);
    expect(countedAccount(spellings[0] ?? '')).not.toBe('');
  });

  it('is another for another name, and one for all that is none', () => {
    expect(new Set(['ann', 'anna', 'ann@example.com', 'ann.lee'].map(countedAccount)).size).toBe(4);
    expect(['', 'a\u00adnn', '\u200b'].map(countedAccount)).toEqual(['', '', '']);
  });
});
