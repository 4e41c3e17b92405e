import { domainToUnicode } from 'node:url';
import { normalizeEmail } from '../input/email.js';
import { normalizeLogin } from '../ldap/ldap-login.js';

const marks = /\p{Mn}/gu;
const katakana = /[\u30a1-\u30f6\u30fd]/g;
const toHiragana = -0x60;

/** Letters that are no letter with a mark to Unicode, and to directories that read over marks. */
const plainLetters: Readonly<Record<string, string>> = {
  ...{ æ: 'ae', œ: 'oe', þ: 'th', ð: 'd', đ: 'd', ħ: 'h', ı: 'i', ł: 'l', ø: 'o', ŧ: 't' },
};

/**
 * What attempts are counted by. A directory knows users by other names than addresses, and reads look-alike letters as one
 * (RFC 4518); Active Directory reads over marks such as accents, the width of letters and the kind of kana, too (MS-ADTS). So
 * they are one here, also in an address; what is neither is limited as one.
 */
export function countedAccount(typed: string): string {
  const plain = withReadableDomain(typed)
    .normalize('NFKD')
    .replaceAll(marks, '')
    .replaceAll(katakana, (kana) => String.fromCharCode(kana.charCodeAt(0) + toHiragana))
    .normalize('NFKC');
  return folded(normalizeEmail(plain) ?? normalizeLogin(plain) ?? '');
}

/** A domain in ASCII (xn--…) is one with letters beyond it, and loses their marks with the other spelling. */
function withReadableDomain(typed: string): string {
  const email = normalizeEmail(typed);
  if (email === undefined) return typed;
  const at = email.lastIndexOf('@') + 1;
  return email.slice(0, at) + domainToUnicode(email.slice(at));
}

/**
 * Letter by letter, as a word's last sigma is another one in lower case; by its capital, as that of ß is SS; and that of its
 * small letter, as ẞ is a capital already.
 */
function folded(text: string): string {
  return [...text]
    .map((letter) => letter.toLowerCase().toUpperCase().toLowerCase())
    .map((letter) => plainLetters[letter] ?? letter)
    .join('')
    .normalize('NFKC');
}
