import { normalizeEmail } from '../input/email.js';
import { normalizeLogin } from '../ldap/ldap-login.js';

const accents = /[\u0300-\u036f]/g;

/**
 * What attempts are counted by. A directory knows users by other names than addresses, and reads look-alike letters as one
 * (RFC 4518), Active Directory those with and without accents, too. So they are one here, also in an address; what is neither
 * is limited as one.
 */
export function countedAccount(typed: string): string {
  const plain = typed.normalize('NFKD').replaceAll(accents, '').normalize('NFKC');
  return folded(normalizeEmail(plain) ?? normalizeLogin(plain) ?? '');
}

/**
 * Letter by letter, as a word's last sigma is another one in lower case; by its capital, as that of ß is SS; and that of its
 * small letter, as ẞ is a capital already.
 */
function folded(text: string): string {
  return [...text]
    .map((letter) => letter.toLowerCase().toUpperCase().toLowerCase())
    .join('')
    .normalize('NFKC');
}
