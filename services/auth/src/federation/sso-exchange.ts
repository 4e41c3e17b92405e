import type { ExternalIdentity } from './external-identity.js';

/** One HTTP request at /v1/sso/<provider>/<action>, as the gateway has passed it on. */
export interface SsoRequest {
  readonly action: string;
  readonly method: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  /** How the client addressed us, such as https://sluice.example.com. */
  readonly origin: string;
  /** Checked by the gateway: a path of ours, or an address of a page that may use us. */
  readonly returnTo: string;
  /** What ties a sign-in under way to the browser that began it; undefined where the browser sent none. */
  readonly flowCookie: string | undefined;
  readonly sessionCookie: string | undefined;
  /** The request was proven to come from a page that may use the gateway, so that it may change something by cookie. */
  readonly isFromOwnPage: boolean;
  readonly clientAddress: string;
  /** The other end of the connection itself, which no header can forge. */
  readonly peerAddress: string;
  /** As they came, one that came twice twice; without cookies and authorization. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

/** What a kind of provider answers. Nothing of it has happened yet: SsoService does it. */
export type SsoAnswer =
  | {
      readonly kind: 'redirect';
      readonly location: string;
      readonly flowCookie?: string;
      readonly isCrossSite?: boolean;
    }
  | { readonly kind: 'document'; readonly contentType: string; readonly body: string }
  /** Signs this identity in and sends the browser to `returnTo`. */
  | {
      readonly kind: 'signIn';
      readonly identity: ExternalIdentity;
      readonly returnTo: string;
      /** What the provider calls its own session, by which it can end ours. */
      readonly providerSession?: string | undefined;
    }
  /** Ends the browser's session, if it has one, and sends it on. */
  | { readonly kind: 'signOut'; readonly location: string; readonly flowCookie?: string }
  | { readonly kind: 'done' };
