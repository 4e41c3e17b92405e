import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { GatewayConfig } from '../gateway.config.js';
import { Origins } from '../http/origins.js';
import { TrustedProxies } from '../http/trusted-proxies.js';
import { cookieNames, cookieOf } from '../sso/cookies.js';
import { cookieScheme } from './authenticator.service.js';

/**
 * What a request proves by: its authorization, or the cookie of a browser's session. A cookie counts only where the browser
 * says that one of our own pages asks, as it sends the cookie along in any page's name. What a browser says of a page, no
 * page can change.
 */
@Injectable()
export class BrowserCredentials {
  private readonly origins: Origins;

  constructor(
    private readonly proxies: TrustedProxies,
    @InjectConfig() config: Pick<GatewayConfig, 'http'>,
  ) {
    // By a cookie only those may act that are named: a wildcard stands for pages that bring their own tokens.
    this.origins = new Origins(config.http.allowedOrigins.filter((origin) => origin !== '*'));
  }

  /** An authorization for the authenticator; undefined where there is none. */
  of(request: IncomingMessage): string | undefined {
    const { authorization } = request.headers;
    if (authorization !== undefined) return authorization;
    return request.headers.cookie !== undefined && this.isOwn(request) ? byCookie(request) : undefined;
  }

  /** The same of a WebSocket's upgrade, which has an Origin whenever a browser makes it. */
  ofUpgrade(request: IncomingMessage): string | undefined {
    const { origin, cookie } = request.headers;
    if (origin === undefined || cookie === undefined || !this.allows(origin, request)) return undefined;
    return byCookie(request);
  }

  /** Whether a page that may use the gateway made this. */
  isOwn(request: IncomingMessage): boolean {
    const { origin, 'sec-fetch-site': site, 'apollo-require-preflight': preflight } = request.headers;
    if (origin !== undefined) return this.allows(origin, request);
    // No page of another origin sends this header without having been allowed to.
    return site === undefined ? preflight !== undefined : site === 'same-origin';
  }

  private allows(origin: string, request: IncomingMessage): boolean {
    const ours = this.proxies.originOf(request);
    return this.origins.allows(origin, ours !== undefined && URL.canParse(ours) ? new URL(ours).host : undefined);
  }
}

function byCookie(request: IncomingMessage): string | undefined {
  const cookie = cookieOf(request, cookieNames.session);
  return cookie === undefined ? undefined : cookieScheme + cookie;
}
