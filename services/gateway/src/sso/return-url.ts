import { AppError } from '#libs/kernel';
import { donePath } from './sso-paths.js';

const lengthMax = 2_000;
/** Printable ASCII without the backslash: the rest is what a browser drops or folds, and what is then no path any more. */
const safe = /^[\x21-\x5b\x5d-\x7e]*$/;

/**
 * Where a browser goes after it has signed in: a path of ours, or an address of a page that may use us by its own name. A
 * wildcard names nobody.
 * @throws AppError `sso.return_refused`
 */
export function checkReturnUrl(text: string | undefined, origin: string, allowedOrigins: readonly string[]): string {
  if (text === undefined || text === '') return donePath;
  if (text.length > lengthMax || !safe.test(text)) throw refused();
  if (text.startsWith('/')) {
    // What a browser makes of it must lie here: //evil.example does not, nor does what only looks like a path.
    if (text.startsWith('//') || !URL.canParse(text, origin)) throw refused();
    const url = new URL(text, origin);
    if (url.origin !== new URL(origin).origin || url.pathname.startsWith('//')) throw refused();
    return `${url.pathname}${url.search}${url.hash}`;
  }
  if (!URL.canParse(text)) throw refused();
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw refused();
  if (url.origin !== new URL(origin).origin && !allowedOrigins.includes(url.origin)) throw refused();
  return url.href;
}

function refused(): AppError {
  return new AppError('sso.return_refused', 'The address to go back to is not one of ours.');
}
