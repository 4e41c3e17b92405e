import type { DecodedPage } from '#libs/result-store';

/** A page, and what is done when its reader is through with it. */
export interface PageLoan extends Disposable {
  readonly page: DecodedPage;
}

/** Of a page that others may read too, now or later. */
export function sharedPage(page: DecodedPage): PageLoan {
  return { page, [Symbol.dispose]: () => undefined };
}

/** Of a page that nobody else has. */
export function ownPage(page: DecodedPage): PageLoan {
  return { page, [Symbol.dispose]: () => page.release() };
}
