import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import proxyAddress from 'proxy-addr';
import { InjectConfig } from '#libs/config';
import { plainAddress } from '#libs/networks';
import type { GatewayConfig } from '../gateway.config.js';

/** What requests say of themselves through proxies, as far as the named ones can be believed. */
@Injectable()
export class TrustedProxies {
  private readonly trusts;

  constructor(@InjectConfig() config: Pick<GatewayConfig, 'http'>) {
    this.trusts = proxyAddress.compile([...config.http.trustedProxies]);
  }

  clientAddressOf(request: IncomingMessage): string {
    return plainAddress(proxyAddress(request, this.trusts));
  }

  /** How the client addressed us, such as https://sluice.example.com; undefined where it did not say. */
  originOf(request: IncomingMessage): string | undefined {
    const { host, 'x-forwarded-host': forwarded } = request.headers;
    const said = typeof forwarded === 'string' && this.isBelieved(request) ? forwarded.split(',', 1)[0]?.trim() : host;
    return said === undefined ? undefined : `${this.isEncrypted(request) ? 'https' : 'http'}://${said}`;
  }

  /** Whether it came encrypted to the outermost proxy that is believed. */
  isEncrypted(request: IncomingMessage): boolean {
    if ('encrypted' in request.socket) return true;
    const said = request.headers['x-forwarded-proto'];
    if (typeof said !== 'string' || !this.isBelieved(request)) return false;
    return said.split(',', 1)[0]?.trim() === 'https';
  }

  private isBelieved({ socket }: IncomingMessage): boolean {
    return this.trusts(socket.remoteAddress ?? '', 0);
  }
}
