import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import proxyAddress from 'proxy-addr';
import { InjectConfig } from '#libs/config';
import type { GatewayConfig } from '../gateway.config.js';

/** What requests say of themselves through proxies, as far as the named ones can be believed. */
@Injectable()
export class TrustedProxies {
  private readonly trusts;

  constructor(@InjectConfig() config: Pick<GatewayConfig, 'http'>) {
    this.trusts = proxyAddress.compile([...config.http.trustedProxies]);
  }

  clientAddressOf(request: IncomingMessage): string {
    return proxyAddress(request, this.trusts);
  }

  /** Whether it came encrypted to the outermost proxy that is believed. */
  isEncrypted({ socket, headers }: IncomingMessage): boolean {
    if ('encrypted' in socket) return true;
    const said = headers['x-forwarded-proto'];
    if (typeof said !== 'string' || !this.trusts(socket.remoteAddress ?? '', 0)) return false;
    return said.split(',', 1)[0]?.trim() === 'https';
  }
}
